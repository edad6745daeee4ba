"""The network configuration that a container runtime reads (CNI spec 1.1.0, section 1). Pure."""

import msgspec


def render(name: str = "weft") -> bytes:
    """`cniVersion` is the latest that containerd 1.6 knows; newer runtimes take the highest of `cniVersions`."""
    document = {
        "cniVersion": "1.0.0",
        "cniVersions": ["0.4.0", "1.0.0", "1.1.0"],
        "name": name,
        "plugins": [{"type": "weft"}],
    }
    return msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n"
