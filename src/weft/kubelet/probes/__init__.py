"""Readiness, liveness and startup probes, and the requests that they and lifecycle hooks make."""
