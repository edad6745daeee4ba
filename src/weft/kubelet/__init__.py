"""The node agent: runs the pods that are bound to this node, and tells the API server how they fare."""
