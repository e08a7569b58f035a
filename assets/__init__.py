"""Dagster's view of the stages: one thin asset each, one file per group."""
