"""Images of a lab: one store for all nodes, archives loaded into it, and images built from this machine's programs."""
