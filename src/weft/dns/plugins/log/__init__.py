"""A line for every query."""
