"""The Kubernetes API: a registry of kinds, a store, watches, patches, printing and access control."""
