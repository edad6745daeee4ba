"""Finds forwarding loops."""
