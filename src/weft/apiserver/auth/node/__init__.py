"""Nodes are users of a kind of their own: what they may ask for, and what they may write."""
