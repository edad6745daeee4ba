"""Namespaces that are deleted: their contents go first, then they."""
