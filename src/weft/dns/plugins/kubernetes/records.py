"""Targets → resource records, as the specification and CoreDNS write them. Pure."""

from collections.abc import Iterable

from weft.dns.message import names
from weft.dns.message.records import AAAA, CNAME, PTR, A, Record, address, srv, txt
from weft.dns.plugins.kubernetes.lookup import NO_PORT, Target

SCHEMA_VERSION = b"1.1.0"
"""Of the specification, in the TXT record of `dns-version.ZONE`."""
_SCHEMA_TTL = 28800


def schema_version(name: bytes) -> Record:
    return txt(name, SCHEMA_VERSION, _SCHEMA_TTL)


def addresses(name: bytes, type_: int, targets: Iterable[Target], ttl: int) -> tuple[Record, ...]:
    """The A or AAAA records, each address once."""
    wanted = dict.fromkeys(target.address for target in targets if _family(target.address) == type_)
    return tuple(address(name, text, ttl) for text in wanted)


def _family(text: str) -> int:
    return 0 if not text else AAAA if ":" in text else A


def services(name: bytes, targets: tuple[Target, ...], ttl: int) -> tuple[tuple[Record, ...], tuple[Record, ...]]:
    """SRV records and the addresses of what they point to; the weights share out 100."""
    weight = max(1, 100 // len(targets)) if targets else 1
    answer: dict[tuple[bytes, int], Record] = {}
    extra: dict[tuple[bytes, str], Record] = {}
    for target in targets:
        if target.address and target.port != NO_PORT:
            answer.setdefault((target.name, target.port), srv(name, weight, target.port, target.name, ttl))
            extra.setdefault((target.name, target.address), address(target.name, target.address, ttl))
    return tuple(answer.values()), tuple(extra.values())


def alias(name: bytes, host: str, ttl: int) -> Record:
    """The CNAME to `host`. Raises ValueError where that is no domain name."""
    return Record(name, CNAME, ttl, names.from_text(host))


def pointers(name: bytes, hosts: Iterable[bytes], ttl: int) -> tuple[Record, ...]:
    return tuple(Record(name, PTR, ttl, host) for host in hosts)
