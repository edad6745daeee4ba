"""Entry → chains of iptables rules. Pure; every word in a rule comes from a typed value, none from a user.

    nat PREROUTING, OUTPUT ─► WEFT-SERVICES   -d 10.96.0.0/20 ─► WEFT-AT-…    the addresses of this /20
                                WEFT-AT-…      address, protocol, port ─► WEFT-SVC-… (by WEFT-FW-…: only some sources)
                                WEFT-SVC-…     who is masqueraded; then one endpoint, by chance or as before
                                WEFT-ALL-…     endpoints of all nodes, for callers whom a Local policy does not bind
    nat POSTROUTING        ─► WEFT-POSTROUTING marked ─► masquerade;  WEFT-HAIRPIN a pod that reached itself
    filter INPUT, FORWARD, OUTPUT ─► WEFT-REFUSE ─► WEFT-AT-…  what was not translated: reject or drop

kube-proxy passes each new connection by all Services in turn, and has a chain for each endpoint; here it passes the
ranges in use and then one range, and there is a chain for each address and port.
"""

import re
from base64 import b32encode
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from ipaddress import ip_address

from weft.addresses import Prefix
from weft.kernel.iptables import IpVersion
from weft.proxy.endpoints import Endpoint
from weft.proxy.model import Entry, Frontend

MARK = 1 << 13
"""Our bit of the packet mark, from prerouting to postrouting of a connection's first packet: masquerade it. Not one of
kube-proxy's (14, 15), Cilium's (8 to 11) or Calico's (16 to 31)."""
MASQUERADE = "MASQUERADE --random-fully"
_MARK_IT = f"-j MARK --set-xmark {MARK:#x}/{MARK:#x}"
_NAME = re.compile(r"[a-z0-9.:/-]{1,200}")
_BITS = {4: 20, 16: 120}
"""How much of an address says in which bucket it is."""

Key = tuple[str, str]
"""A table and a chain."""
Rules = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Options:
    """What the administrator chose."""

    version: IpVersion
    cluster_cidr: Prefix | None = None
    """Where pods live: others are masqueraded on their way to a ClusterIP, and bound by Local external policies."""
    masquerade_all: bool = False


def bucket(address: bytes) -> bytes:
    bits = _BITS[len(address)]
    kept = int.from_bytes(address, "big") >> (len(address) * 8 - bits) << (len(address) * 8 - bits)
    return kept.to_bytes(len(address), "big")


def name(kind: str, *parts: object) -> str:
    """A chain of this kind: at most 28 characters, the same for the same parts."""
    digest = sha256("\0".join(part.hex() if isinstance(part, bytes) else str(part) for part in parts).encode()).digest()
    return f"WEFT-{kind}-{b32encode(digest[:10]).decode()}"


def host(address: bytes) -> str:
    return f"{ip_address(address)}/{len(address) * 8}"


def place(at: Frontend) -> str:
    """The match of a frontend."""
    return f"-d {host(at.address)} -p {at.protocol} -m {at.protocol} --dport {at.port}"


def comment(entry: Entry) -> str:
    """Names are DNS labels; what a foreign server lets through beyond that is left out."""
    return f' -m comment --comment "{entry.service}"' if _NAME.fullmatch(entry.service) else ""


def chains_of(at: Frontend, entry: Entry, options: Options) -> dict[Key, Rules]:
    """The chains that belong to one frontend."""
    service, everywhere, wall = name("SVC", *at), name("ALL", *at), name("FW", *at)
    made: dict[Key, Rules] = {}
    if entry.external and entry.local is not None:
        made["nat", everywhere] = tuple(spread(at, entry.cluster, entry.affinity))
        made["nat", service] = (*_let_through(everywhere, options), *spread(at, entry.local, entry.affinity))
    elif entry.external:
        made["nat", service] = (_MARK_IT, *spread(at, entry.cluster, entry.affinity))
    else:
        ends = entry.cluster if entry.local is None else entry.local
        made["nat", service] = (*_off_cluster(options), *spread(at, ends, entry.affinity))
    if entry.sources:
        made["nat", wall] = tuple(f"-s {source} -j {service}" for source in entry.sources)
        made["filter", wall] = (*(f"-s {source} -j RETURN" for source in entry.sources), "-j DROP")
    return made


def _off_cluster(options: Options) -> list[str]:
    """Answers to a caller who is no pod might not come back this way, once the endpoint is on another node."""
    if options.masquerade_all:
        return [_MARK_IT]
    return [f"! -s {options.cluster_cidr} {_MARK_IT}"] if options.cluster_cidr else []


def _let_through(everywhere: str, options: Options) -> list[str]:
    """Pods and the node itself are served as if they had gone out to the balancer and come in at a better node."""
    own = "-m addrtype --src-type LOCAL"
    pods = [f"-s {options.cluster_cidr} -j {everywhere}"] if options.cluster_cidr else []
    return [*pods, f"{own} {_MARK_IT}", f"{own} -j {everywhere}"]


def spread(at: Frontend, ends: Sequence[Endpoint], affinity: int) -> list[str]:
    """One of the endpoints: the one that the client had within `affinity` seconds, or any with the same chance."""
    made, lists = [], [name("R", *at, end.address, end.port) for end in ends]
    if affinity:
        for end, held in zip(ends, lists, strict=True):
            renewed = f"-m recent --update --seconds {affinity} --reap --name {held} --rsource"
            made.append(f"-p {at.protocol} {renewed} -j {_to(end)}")
    for number, (end, held) in enumerate(zip(ends, lists, strict=True)):
        left = len(ends) - number
        chance = f"-m statistic --mode random --probability {1 / left:.10f} " if left > 1 else ""
        remember = f"-m recent --set --name {held} --rsource " if affinity else ""
        made.append(f"-p {at.protocol} {chance}{remember}-j {_to(end)}")
    return made


def _to(end: Endpoint) -> str:
    text = str(ip_address(end.address))
    return f"DNAT --to-destination {text if len(end.address) == 4 else f'[{text}]'}:{end.port}"


def dispatch(held: Iterable[tuple[Frontend, Entry]]) -> Rules:
    """`WEFT-AT-…` of the nat table: the frontends of one bucket, in order."""
    return tuple(f"{place(at)}{comment(entry)} -j {name('FW' if entry.sources else 'SVC', *at)}" for at, entry in held)


def refusals(held: Iterable[tuple[Frontend, Entry]], version: IpVersion) -> Rules:
    """`WEFT-AT-…` of the filter table."""
    reject = _reject(version)
    walls, refused, addresses = [], [], dict[bytes, None]()
    for at, entry in held:
        if entry.sources:
            walls.append(f"{place(at)}{comment(entry)} -j {name('FW', *at)}")
        if entry.absent:
            refused.append(f"{place(at)}{comment(entry)} -j {reject if entry.absent == 'reject' else 'DROP'}")
        if entry.kind == "ClusterIP":
            addresses[at.address] = None
    return (*walls, *refused, *(f"-d {host(address)} -j {reject}" for address in addresses))


def _reject(version: IpVersion) -> str:
    return f"REJECT --reject-with {'icmp-port-unreachable' if version == 4 else 'icmp6-port-unreachable'}"


def jumps_to_buckets(buckets: Iterable[bytes]) -> Rules:
    return tuple(f"-d {ip_address(one)}/{_BITS[len(one)]} -j {name('AT', one)}" for one in sorted(buckets))


def unassigned(ranges: Iterable[Prefix]) -> Rules:
    return tuple(f"-d {one} -j DROP" for one in ranges)


def hairpin(addresses: Iterable[bytes]) -> Rules:
    return tuple(f"-s {host(one)} -d {host(one)} -j {MASQUERADE}" for one in sorted(addresses))


POSTROUTING: Rules = (
    "-m conntrack --ctstate DNAT -j WEFT-HAIRPIN",
    f"-m mark ! --mark {MARK:#x}/{MARK:#x} -j RETURN",
    f"-j MARK --set-xmark 0x0/{MARK:#x}",
    f"-j {MASQUERADE}",
)
JUMPS: tuple[tuple[str, str, str], ...] = (
    ("nat", "PREROUTING", "-j WEFT-SERVICES"),
    ("nat", "OUTPUT", "-j WEFT-SERVICES"),
    ("nat", "POSTROUTING", "-j WEFT-POSTROUTING"),
    ("filter", "INPUT", "-m conntrack --ctstate NEW -j WEFT-REFUSE"),
    ("filter", "FORWARD", "-m conntrack --ctstate NEW -j WEFT-REFUSE"),
    ("filter", "OUTPUT", "-m conntrack --ctstate NEW -j WEFT-REFUSE"),
)
"""Table, built-in chain, rule: what leads into our chains."""
