"""The service proxy: every address and port of a Service leads to its endpoints, on every node."""
