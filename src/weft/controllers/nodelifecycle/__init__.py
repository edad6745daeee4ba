"""Nodes that fall silent: conditions, taints, and pods that have to leave ("Taint-based Evictions")."""
