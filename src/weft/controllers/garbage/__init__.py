"""Garbage collection by ownerReferences: background, foreground and orphan ("Garbage Collection")."""
