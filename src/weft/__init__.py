"""Weft: a complete Kubernetes cluster network, from the veth pair to the Ingress, with the control plane it needs."""

KUBERNETES_VERSION = "v1.36.3"
"""The Kubernetes release whose documents and behaviour Weft follows."""

__version__: str


def __getattr__(name: str) -> str:
    """`__version__`, read when first asked for: importing the reader of package metadata costs 60 ms."""
    if name != "__version__":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib.metadata import PackageNotFoundError, version

    try:
        found = version("weft")
    except PackageNotFoundError:  # a source tree that was never installed
        found = "0.0.0"
    globals()[name] = found
    return found
