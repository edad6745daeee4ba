"""What Services and EndpointSlices mean: every address and port that this node answers for, and where it leads.

    Service + its EndpointSlices + Node ──► {Frontend: Entry}

Pure; all modes program the same entries, and `words` spells them. Rules: KEP-2086 (internalTrafficPolicy), KEP-1669
(terminating endpoints), KEP-2433 and KEP-3015 (hints), KEP-1860 (ipMode), "Virtual IPs and Service Proxies".
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import partial
from ipaddress import IPv4Network, IPv6Network, collapse_addresses
from typing import Literal, NamedTuple

from weft.addresses import Address, Prefix, parse_prefix
from weft.cluster.objects.service import Service, ServicePort
from weft.proxy.endpoints import Endpoint, candidates, packed
from weft.proxy.objects import EndpointSlice
from weft.proxy.topology import Usable, usable

Kind = Literal["ClusterIP", "NodePort", "ExternalIP", "LoadBalancer"]
PROTOCOLS = ("TCP", "UDP", "SCTP")
PROXY_NAME_LABEL = "service.kubernetes.io/service-proxy-name"
HEADLESS_LABEL = "service.kubernetes.io/headless"
DEFAULT_AFFINITY_SECONDS = 10_800


class Frontend(NamedTuple):
    """An address (network byte order, 4 or 16 bytes), a protocol (`tcp`, `udp`, `sctp`) and a port."""

    address: bytes
    protocol: str
    port: int


@dataclass(frozen=True, slots=True)
class Entry:
    """What a Frontend does on this node."""

    service: str
    """`namespace/name:port`, the Service's port that it belongs to."""
    kind: Kind
    cluster: tuple[Endpoint, ...] = ()
    """Endpoints for callers whom no Local policy binds."""
    local: tuple[Endpoint, ...] | None = None
    """With a Local policy: the endpoints for callers whom it binds. That is every caller of a ClusterIP, and callers
    from outside the cluster of the other kinds: pods and the node itself are let through to `cluster`.
    """
    absent: Literal["", "reject", "drop"] = ""
    """What becomes of callers for whom there is no endpoint: `reject` where no node has one, else `drop`."""
    affinity: int = 0
    """Seconds for which a client's address keeps its endpoint; 0: no affinity."""
    sources: tuple[Prefix, ...] = ()
    """Who may call; everyone, if empty."""

    @property
    def external(self) -> bool:
        return self.kind != "ClusterIP"


@dataclass(frozen=True, slots=True)
class NodeView:
    """What the proxy knows about its own node."""

    name: str
    zone: str = ""
    addresses: tuple[Address, ...] = ()
    """The node's own, for source ranges that contain it."""
    port_addresses: tuple[Address, ...] = ()
    """Where NodePorts answer."""


@dataclass(slots=True)
class Problems:
    """What could not be understood, in words; such parts of an object are left out, the rest works."""

    found: dict[str, list[str]] = field(default_factory=dict)
    """By the Service's key."""

    def add(self, key: str, what: str) -> None:
        self.found.setdefault(key, []).append(what)


def is_proxied(service: Service) -> bool:
    """Headless and ExternalName Services have nothing to proxy; those with a proxy name are another's."""
    spec, labels = service.spec, service.metadata.labels or {}
    return (
        spec.type != "ExternalName"
        and spec.cluster_ip not in ("", "None")
        and PROXY_NAME_LABEL not in labels
        and HEADLESS_LABEL not in labels
    )


def entries(
    service: Service, slices: Iterable[EndpointSlice], node: NodeView, problems: Problems
) -> dict[Frontend, Entry]:
    """All that this node answers for `service`; both families. `slices` are those of the Service, of any family."""
    if not is_proxied(service):
        return {}
    slices, key = list(slices), service.metadata.key
    complain = partial(problems.add, key)
    made: dict[Frontend, Entry] = {}
    for text in service.spec.cluster_ips or (service.spec.cluster_ip,):
        cluster_ip = _packed(text, "clusterIP", service, problems)
        if cluster_ip is None:
            continue
        width = len(cluster_ip)
        family_slices = [one for one in slices if one.address_type == ("IPv4" if width == 4 else "IPv6")]
        addresses = _addresses(service, cluster_ip, node, problems)
        sources = _sources(service, width, node, addresses["LoadBalancer"], problems)
        for port in service.spec.ports or ():
            if port.protocol not in PROTOCOLS or not (0 < port.port < 65536 and 0 <= port.node_port < 65536):
                problems.add(key, f"port {port.port}/{port.protocol} cannot be")
                continue
            found = candidates(family_slices, port.name, port.protocol, node.name, complain)
            _port_entries(made, service, port, addresses, sources, usable_by(service, port, found, addresses, node))
    return made


def usable_by(
    service: Service, port: ServicePort, found: list[Endpoint], addresses: dict[Kind, list[bytes]], node: NodeView
) -> Usable:
    """The endpoints for each policy. A Local external policy needs the Cluster ones too, for who is let through."""
    external = bool(addresses["ExternalIP"] or addresses["LoadBalancer"] or (port.node_port and _takes_ports(service)))
    internal_local = service.spec.internal_traffic_policy == "Local"
    return usable(
        found,
        cluster=not internal_local or external,
        local=internal_local or (external and _external_local(service)),
        node=node.name,
        zone=node.zone,
    )


def _port_entries(
    made: dict[Frontend, Entry],
    service: Service,
    port: ServicePort,
    addresses: dict[Kind, list[bytes]],
    sources: tuple[Prefix, ...],
    ends: Usable,
) -> None:
    protocol = port.protocol.lower()
    name = f"{service.metadata.key}:{port.name}" if port.name else service.metadata.key
    affinity = _affinity(service)
    internal_local = service.spec.internal_traffic_policy == "Local"
    for kind, held in addresses.items():
        number = port.node_port if kind == "NodePort" else port.port
        if not number:
            continue
        bound = internal_local if kind == "ClusterIP" else _external_local(service)
        cluster = () if bound and kind == "ClusterIP" else ends.cluster
        local = ends.local if bound else None
        chosen = cluster if local is None else local
        entry = Entry(
            service=name,
            kind=kind,
            cluster=cluster,
            local=local,
            absent="reject" if not ends.anywhere else "" if chosen else "drop",
            affinity=affinity,
            sources=sources if kind == "LoadBalancer" else (),
        )
        for address in held:
            made.setdefault(Frontend(address, protocol, number), entry)


def _addresses(service: Service, cluster_ip: bytes, node: NodeView, problems: Problems) -> dict[Kind, list[bytes]]:
    """The Service's addresses of the cluster IP's family, by what they are. The first claim to an address holds."""
    width = len(cluster_ip)

    def of_family(texts: Iterable[str], field: str) -> list[bytes]:
        found = (_packed(text, field, service, problems) for text in texts)
        return [address for address in found if address is not None and len(address) == width]

    balancer = service.status.load_balancer
    # An address that the balancer keeps for itself (ipMode Proxy) must go through the balancer (KEP-1860).
    vips = [one.ip for one in (balancer.ingress or () if balancer else ()) if one.ip and one.ip_mode != "Proxy"]
    ports_on = [a.packed for a in node.port_addresses if len(a.packed) == width] if _takes_ports(service) else []
    return {
        "ClusterIP": [cluster_ip],
        "ExternalIP": of_family(service.spec.external_ips or (), "externalIPs"),
        "LoadBalancer": of_family(vips, "status.loadBalancer.ingress") if service.spec.type == "LoadBalancer" else [],
        "NodePort": ports_on,
    }


def _sources(service: Service, width: int, node: NodeView, vips: list[bytes], problems: Problems) -> tuple[Prefix, ...]:
    """Who may call the load balancer's addresses: source ranges of one family, joined where they touch."""
    version = 4 if width == 4 else 6
    ranges: list[Prefix] = []
    for text in service.spec.load_balancer_source_ranges or ():
        try:
            # Validation of older servers lets padding with spaces through.
            ranges.append(parse_prefix(text.strip()))
        except ValueError as error:
            problems.add(service.metadata.key, f"loadBalancerSourceRanges: {error}")
    ranges = [one for one in ranges if one.version == version]
    if not ranges or any(one.prefixlen == 0 for one in ranges):
        return ()
    if any(address in one for one in ranges for address in node.addresses):
        # Where a balancer gives its address to the node, the node calls it from that very address.
        ranges += [_host(vip) for vip in vips]
    joined = collapse_addresses(ranges)  # type: ignore[type-var]
    return tuple(joined)


def _host(address: bytes) -> Prefix:
    return IPv4Network(address) if len(address) == 4 else IPv6Network(address)


def _affinity(service: Service) -> int:
    spec = service.spec
    if spec.session_affinity != "ClientIP":
        return 0
    client = spec.session_affinity_config.client_ip if spec.session_affinity_config else None
    seconds = client.timeout_seconds if client else None
    return DEFAULT_AFFINITY_SECONDS if seconds is None else seconds


def _takes_ports(service: Service) -> bool:
    return service.spec.type in ("NodePort", "LoadBalancer")


def _external_local(service: Service) -> bool:
    reachable = _takes_ports(service) or bool(service.spec.external_ips)
    return reachable and service.spec.external_traffic_policy == "Local"


def _packed(text: str, field: str, service: Service, problems: Problems) -> bytes | None:
    try:
        return packed(text)
    except ValueError:
        problems.add(service.metadata.key, f"{field} {text!r} is not an IP address")
        return None
