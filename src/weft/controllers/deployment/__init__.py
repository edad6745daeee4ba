"""Deployment: rolls pods from one template to the next by growing one ReplicaSet and shrinking the others."""
