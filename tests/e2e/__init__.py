"""A whole lab, driven by the unmodified clients."""
