"""The readiness endpoint."""
