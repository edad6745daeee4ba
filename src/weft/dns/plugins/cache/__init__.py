"""Keeps what upstream servers answered."""
