"""ReplicaSet: so many pods of one template, always."""
