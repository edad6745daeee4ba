"""Which addresses a server block listens on."""
