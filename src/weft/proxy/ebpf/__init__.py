"""The ebpf mode: sockets are connected to an endpoint at once, so that no packet needs translation."""
