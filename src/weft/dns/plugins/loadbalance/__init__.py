"""Turns the addresses of an answer around."""
