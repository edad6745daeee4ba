class Malformed(ValueError):
    """Bytes that are no DNS message; the text says where they go wrong."""
