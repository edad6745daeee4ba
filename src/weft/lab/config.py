"""What a lab is: its name, nodes and ranges. Pure; every refusal is one line with the flag and the mend."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from weft.addresses import Address, Prefix, family, is_dual_stack, nth_subnet, overlapping, parse_prefix, parse_prefixes

POD_RANGE, POD_RANGE_V6 = "10.244.0.0/16", "fd00:10:244::/56"
SERVICE_RANGE, SERVICE_RANGE_V6 = "10.96.0.0/12", "fd00:10:96::/112"
NODE_MASK = {4: 24, 6: 64}
"""Bits of a node's pod range, as kube-controller-manager's --node-cidr-mask-size-ipv4 and -ipv6 default."""
MAX_NODES = 200
_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,18}[a-z0-9])?")


@dataclass(frozen=True, slots=True)
class LabConfig:
    name: str
    nodes: int
    pod_ranges: tuple[str, ...]
    service_ranges: tuple[str, ...]
    subnet: int
    """The third byte of the underlay's 172.30.X.0/24; no two labs on a machine share it."""
    proxy_mode: str = "nftables"

    @property
    def dual_stack(self) -> bool:
        return len(self.pod_ranges) == 2

    @property
    def underlay(self) -> tuple[Prefix, ...]:
        """The link that joins host, control plane and nodes, in the order of the pod ranges' families."""
        both = {4: underlay_v4(self.subnet), 6: parse_prefix(f"fd00:172:30:{self.subnet:x}::/64")}
        return tuple(both[parse_prefix(text).version] for text in self.pod_ranges)

    def host_addresses(self) -> tuple[Address, ...]:
        return tuple(prefix[1] for prefix in self.underlay)

    def control_plane_addresses(self) -> tuple[Address, ...]:
        return tuple(prefix[2] for prefix in self.underlay)

    def node_names(self) -> tuple[str, ...]:
        return tuple(f"node{number}" for number in range(1, self.nodes + 1))

    def node_addresses(self, node: str) -> tuple[Address, ...]:
        number = int(node.removeprefix("node"))
        return tuple(prefix[10 + number] for prefix in self.underlay)

    def service_address(self, index: int) -> tuple[Address, ...]:
        """Address number `index` of each service range: 1 is `kubernetes`, 10 is `kube-dns`."""
        return tuple(parse_prefix(text)[index] for text in self.service_ranges)

    @property
    def api_server(self) -> str:
        address = self.control_plane_addresses()[0]
        return f"https://[{address}]:6443" if address.version == 6 else f"https://{address}:6443"


def underlay_v4(subnet: int) -> Prefix:
    return parse_prefix(f"172.30.{subnet}.0/24")


def check_name(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise ValueError(f"--name: {name!r} must be 1 to 20 lower-case letters, digits or dashes (as weft or demo-2)")
    return name


def make(
    name: str = "weft",
    nodes: int = 3,
    pod_cidr: str = "",
    service_cidr: str = "",
    *,
    dual_stack: bool = False,
    subnet: int = 0,
    proxy_mode: str = "nftables",
) -> LabConfig:
    """The configuration that these flags ask for, or a ValueError that names the flag."""
    check_name(name)
    if not 1 <= nodes <= MAX_NODES:
        raise ValueError(f"--nodes: {nodes} must be between 1 and {MAX_NODES}")
    two = dual_stack or "," in pod_cidr or "," in service_cidr
    pods = _ranges(pod_cidr, "--pod-cidr", two, POD_RANGE, POD_RANGE_V6)
    services = _ranges(service_cidr, "--service-cidr", two, SERVICE_RANGE, SERVICE_RANGE_V6)
    if [p.version for p in pods] != [s.version for s in services]:
        raise ValueError(
            f"--service-cidr: families {_families(services)} differ from --pod-cidr's {_families(pods)}"
            " (give both ranges in the same order of families)"
        )
    config = LabConfig(name, nodes, tuple(map(str, pods)), tuple(map(str, services)), subnet, proxy_mode)
    _check_sizes(nodes, pods, services)
    _check_overlaps(config, pods, services)
    return config


def _ranges(text: str, flag: str, two: bool, default: str, default_v6: str) -> tuple[Prefix, ...]:
    found = parse_prefixes(text, flag) if text else (parse_prefix(default),)
    if two and not is_dual_stack(found):
        found += (parse_prefix(default_v6 if found[0].version == 4 else default),)
    return found


def _families(prefixes: Iterable[Prefix]) -> str:
    return ",".join(family(prefix) for prefix in prefixes)


def _check_sizes(nodes: int, pods: tuple[Prefix, ...], services: tuple[Prefix, ...]) -> None:
    for prefix in pods:
        mask = NODE_MASK[prefix.version]
        try:
            nth_subnet(prefix, mask, nodes)  # number 0 stays free, as in every textbook drawing
        except ValueError:
            need = mask - nodes.bit_length()
            raise ValueError(
                f"--pod-cidr: {prefix} is too small for {nodes} nodes of /{mask} each (give at least a /{need})"
            ) from None
    for prefix in services:
        bits = prefix.max_prefixlen - prefix.prefixlen
        if not 4 <= bits <= 20:
            low, high = prefix.max_prefixlen - 20, prefix.max_prefixlen - 4
            raise ValueError(f"--service-cidr: {prefix} must be between a /{low} and a /{high}")


def _check_overlaps(config: LabConfig, pods: tuple[Prefix, ...], services: tuple[Prefix, ...]) -> None:
    named = [("--pod-cidr", p) for p in pods] + [("--service-cidr", s) for s in services]
    named += [("the node network", u) for u in config.underlay]
    pair = overlapping([prefix for _, prefix in named])
    if pair:
        one, other = (next(name for name, prefix in named if prefix is found) for found in pair)
        raise ValueError(f"{one}: {pair[0]} overlaps {other} {pair[1]} (choose ranges that share no address)")


def free_subnet(taken: Iterable[Prefix]) -> int:
    """The first underlay that shares no address with `taken` (the host's routes and the other labs)."""
    used = [prefix for prefix in taken if prefix.prefixlen]
    for subnet in range(256):
        if not any(overlapping((underlay_v4(subnet), prefix)) for prefix in used if prefix.version == 4):
            return subnet
    raise ValueError("node network: all of 172.30.0.0/16 is routed elsewhere on this host (remove a route or a lab)")
