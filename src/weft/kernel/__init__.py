"""The door to this node's Linux: value types (`state`), the ports, their real implementations and faithful fakes."""
