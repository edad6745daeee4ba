"""Services get their families, cluster addresses and node ports (pkg/registry/core/service/storage/alloc.go).

Nothing is kept in `admit_*`: what is in use is what `applied` has told, so a refused write gives nothing back.
"""

from collections.abc import Iterator, Sequence
from random import Random

from weft.addresses.prefix import Prefix, family
from weft.apiserver.kinds.services.addressing import headless
from weft.apiserver.kinds.services.allocator import AddressAllocator, PortAllocator
from weft.apiserver.kinds.services.assign import Assigner
from weft.apiserver.kinds.services.families import settle_families
from weft.apiserver.kinds.services.rewrite import carry_over, drop_what_the_type_lost
from weft.apiserver.registry.admission import Context, Passive
from weft.apiserver.registry.failures import invalid
from weft.apiserver.registry.kind import Kind, Object
from weft.cluster.objects.resource import SERVICES


class ServiceAllocation(Passive):
    """`cluster_ranges`: one prefix, or two of different families, the primary one first."""

    def __init__(
        self, cluster_ranges: Sequence[Prefix], node_ports: tuple[int, int] = (30000, 32767), rng: Random | None = None
    ) -> None:
        rng = rng or Random()
        self._addresses: dict[str, AddressAllocator] = {
            family(prefix): AddressAllocator(prefix, rng) for prefix in cluster_ranges
        }
        self._ports = PortAllocator(*node_ports, rng)
        self._assigner = Assigner(self._addresses, self._ports)

    def admit_create(self, kind: Kind, obj: Object, context: Context) -> None:
        if kind.resource != SERVICES:
            return
        spec = obj["spec"]
        if spec.get("clusterIP") and not spec.get("clusterIPs"):
            spec["clusterIPs"] = [spec["clusterIP"]]
        self._settle(obj, None)
        self._assigner.create(obj)

    def admit_update(self, kind: Kind, new: Object, old: Object, context: Context) -> None:
        if kind.resource != SERVICES or context.subresource:
            return
        carry_over(new["spec"], old["spec"])
        self._settle(new, old["spec"])
        self._assigner.update(new, old["spec"])
        drop_what_the_type_lost(new, old)

    def applied(self, kind: Kind, old: Object | None, new: Object | None) -> None:
        if kind.resource != SERVICES:
            return
        if new is not None:
            for allocator, text in self._of_family(cluster_addresses(new["spec"])):
                allocator.take(text)
            for port in node_ports(new["spec"]):
                self._ports.take(port)
        if old is not None:
            for allocator, text in self._of_family(cluster_addresses(old["spec"])):
                allocator.free(text)
            for port in node_ports(old["spec"]):
                self._ports.free(port)

    def _settle(self, obj: Object, old: Object | None) -> None:
        errors = settle_families(obj["spec"], old, list(self._addresses))
        if errors:
            raise invalid(SERVICES, obj["metadata"].get("name", ""), errors)

    def _of_family(self, addresses: list[str]) -> Iterator[tuple[AddressAllocator, str]]:
        """Each with its allocator; a family that the cluster no longer has is left out."""
        for text in addresses:
            allocator = self._addresses.get("IPv6" if ":" in text else "IPv4")
            if allocator is not None:
                yield allocator, text


def cluster_addresses(spec: Object) -> list[str]:
    """Those that a Service holds, of both families."""
    if spec.get("type") == "ExternalName" or headless(spec):
        return []
    found = spec.get("clusterIPs") or [spec.get("clusterIP", "")]
    return [text for text in found if text and text != "None"]


def node_ports(spec: Object) -> set[int]:
    """Those that a Service holds, its health check's included."""
    found = {port["nodePort"] for port in spec.get("ports", ()) if port.get("nodePort")}
    if spec.get("healthCheckNodePort"):
        found.add(spec["healthCheckNodePort"])
    return found
