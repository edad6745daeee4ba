"""ServiceAccount tokens: keys, claims, and the issuer that signs and verifies."""
