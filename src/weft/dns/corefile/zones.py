"""The keys of server blocks: `cluster.local`, `dns://example.org:1053`, `10.0.0.0/24` (corefile(5))."""

from ipaddress import IPv4Network, IPv6Network, ip_network

from weft.dns.message import names

_NOT_SPOKEN = ("tls", "https", "https3", "grpc", "quic")


def zone_key(text: str, default_port: int) -> list[tuple[bytes, int]]:
    """Zones and port of one key. Raises ValueError with the reason."""
    scheme, colon, rest = text.partition("://")
    if colon:
        if scheme in _NOT_SPOKEN:
            raise ValueError(f"{scheme}:// is not spoken here, only dns://")
        if scheme != "dns":
            raise ValueError(f"{scheme}:// is no scheme")
        text = rest
    zone, port = _split_port(text, default_port)
    return [(name, port) for name in zone_names(zone)]


def _split_port(text: str, default: int) -> tuple[str, int]:
    head, colon, tail = text.rpartition(":")
    if not colon or "/" in tail or (":" in head and "/" not in head):
        return text, default  # no port, or an IPv6 range without one
    if "/" in text and ":" in head and "/" not in head:
        return text, default
    if not tail.isdigit() or not 0 < int(tail) < 65536:
        raise ValueError(f"{tail!r} is not a port")
    return head or ".", int(tail)


def zone_names(text: str) -> list[bytes]:
    """The wire names of a zone: one for a domain, one or more for a range of addresses."""
    if "/" in text:
        try:
            network = ip_network(text, strict=False)
        except ValueError:
            raise ValueError(f"{text!r} is neither a domain nor a range of addresses") from None
        return _reverse(network)
    return [names.from_text(text.lower())]


def _reverse(network: IPv4Network | IPv6Network) -> list[bytes]:
    """Zones at the next label boundary inside the range: 10.0.0.0/23 is two zones of /24."""
    bits = 8 if network.version == 4 else 4
    length = -(-network.prefixlen // bits) * bits
    found = []
    for subnet in network.subnets(new_prefix=length):
        if isinstance(subnet, IPv4Network):
            parts = str(subnet.network_address).split(".")
            suffix = "in-addr.arpa"
        else:
            parts = list(subnet.network_address.exploded.replace(":", ""))
            suffix = "ip6.arpa"
        kept = parts[: length // bits]
        found.append(names.from_text(".".join([*reversed(kept), suffix])))
    return found
