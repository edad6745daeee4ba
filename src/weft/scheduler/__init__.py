"""Finds a node for every pod (kube-scheduler's job)."""
