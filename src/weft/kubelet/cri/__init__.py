"""The container runtime, seen through the Container Runtime Interface (runtime.v1)."""
