"""Asks upstream servers."""
