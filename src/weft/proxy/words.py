"""What a Frontend does, in words: for logs, `--dry-run` and people. Pure."""

from ipaddress import IPv4Address, IPv6Address

from weft.proxy.endpoints import Endpoint
from weft.proxy.model import Entry, Frontend

_SHOWN = 5


def host(address: bytes) -> str:
    return str(IPv4Address(address)) if len(address) == 4 else f"[{IPv6Address(address)}]"


def place(at: Frontend) -> str:
    """`10.96.3.7:80/TCP`, `[fd00::7]:53/UDP`."""
    return f"{host(at.address)}:{at.port}/{at.protocol.upper()}"


def describe(at: Frontend, entry: Entry) -> str:
    """`default/web:http 10.96.3.7:80/TCP → 3 endpoints (10.244.1.5:8080, …)`."""
    kind = "" if entry.kind == "ClusterIP" else f" {entry.kind}"
    return f"{entry.service}{kind} {place(at)} → {_way(entry)}{_manner(entry)}"


def gone(at: Frontend) -> str:
    return f"{place(at)} is no Service any more"


def _way(entry: Entry) -> str:
    if entry.absent == "reject":
        return "no endpoints: rejected"
    if entry.local is None:
        return _ends(entry.cluster)
    here = f"{_ends(entry.local)} on this node" if entry.local else "no endpoints on this node: dropped"
    return f"{here}; pods and the node itself to {_ends(entry.cluster)}" if entry.external else here


def _ends(ends: tuple[Endpoint, ...]) -> str:
    shown = [f"{host(end.address)}:{end.port}{' draining' if end.draining else ''}" for end in ends[:_SHOWN]]
    if len(ends) > _SHOWN:
        shown.append("…")
    return f"{len(ends)} endpoint{'' if len(ends) == 1 else 's'} ({', '.join(shown)})"


def _manner(entry: Entry) -> str:
    parts = []
    if entry.affinity:
        parts.append(f"a client keeps its endpoint for {entry.affinity} s")
    if entry.sources:
        parts.append(f"only from {', '.join(map(str, entry.sources))}")
    return "".join(f"; {part}" for part in parts)
