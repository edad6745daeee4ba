"""Names from a hosts file or from the Corefile."""
