"""Chaos: the real stages against the local sites, while processes die, databases vanish and pages lie.

It knows everything and nothing knows it; production never imports it.
"""
