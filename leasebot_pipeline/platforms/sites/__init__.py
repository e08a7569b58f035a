"""The five sites, one data module each."""
