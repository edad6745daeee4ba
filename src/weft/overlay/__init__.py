"""The pod network between nodes: this node's bridge and addresses, routes to the others, masquerade, the CNI socket."""
