"""Reverse names (RFC 1035 section 3.5, RFC 3596 section 2.5)."""

from ipaddress import IPv6Address, ip_address

from weft.dns.message import names


def reverse_address(key: bytes) -> str | None:
    """The address that a name below in-addr.arpa or ip6.arpa stands for; None where it is not a whole one."""
    labels = names.labels(key)
    try:
        if labels[-2:] == [b"in-addr", b"arpa"] and len(labels) == 6:
            return str(ip_address(b".".join(reversed(labels[:4])).decode("ascii")))
        if labels[-2:] == [b"ip6", b"arpa"] and len(labels) == 34 and all(len(label) == 1 for label in labels[:32]):
            return str(IPv6Address(int(b"".join(reversed(labels[:32])), 16)))
    except ValueError:
        pass
    return None
