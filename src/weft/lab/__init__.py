"""A cluster of several nodes on this machine, in namespaces of its own."""
