"""Weft: a complete Kubernetes cluster network, from the veth pair to the Ingress, with the control plane it needs."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("weft")
except PackageNotFoundError:  # a source tree that was never installed
    __version__ = "0.0.0"

KUBERNETES_VERSION = "v1.36.3"
"""The Kubernetes release whose documents and behaviour Weft follows."""
