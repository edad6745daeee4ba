"""Logs why queries failed."""
