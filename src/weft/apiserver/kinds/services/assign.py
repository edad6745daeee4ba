"""The values that a Service gets or asks for, chosen for one write; nothing is marked as used here."""

from collections.abc import Mapping, Sequence

from weft.apiserver.kinds.rules.errors import invalid as field_invalid
from weft.apiserver.kinds.services.addressing import headless
from weft.apiserver.kinds.services.allocator import AddressAllocator, Full, PortAllocator, Taken
from weft.apiserver.kinds.services.families import keeps_preference
from weft.apiserver.registry.failures import internal, invalid
from weft.apiserver.registry.kind import Object
from weft.cluster.errors import ApiError
from weft.cluster.objects.resource import SERVICES


class Assigner:
    def __init__(self, addresses: Mapping[str, AddressAllocator], ports: PortAllocator) -> None:
        self._addresses = addresses
        self._ports = ports

    def create(self, obj: Object) -> None:
        spec = obj["spec"]
        if spec["type"] != "ExternalName" and not headless(spec):
            self._addresses_of(obj, spec["ipFamilies"])
        if wants_node_ports(spec):
            self._new_ports(obj)
        if needs_health_check(spec):
            self._health_check(obj, set())

    def update(self, obj: Object, old: Object) -> None:
        """`old` is the old spec."""
        spec = obj["spec"]
        if not keeps_preference(spec, old):
            self._update_addresses(obj, old)
        held = {port["nodePort"] for port in old.get("ports", ()) if port.get("nodePort")}
        if wants_node_ports(spec):
            self._updated_ports(obj, held)
        if needs_health_check(spec) and not needs_health_check(old):
            self._health_check(obj, held)

    def _update_addresses(self, obj: Object, old: Object) -> None:
        spec = obj["spec"]
        if spec["type"] == "ExternalName" or headless(spec):
            return
        if old.get("type") == "ExternalName":
            self._addresses_of(obj, spec["ipFamilies"])
        elif not headless(old) and len(old.get("ipFamilies", ())) == 1 and len(spec.get("ipFamilies", ())) == 2:
            self._addresses_of(obj, spec["ipFamilies"], first=1)

    def _addresses_of(self, obj: Object, families: Sequence[str], first: int = 0) -> None:
        spec = obj["spec"]
        addresses = spec.setdefault("clusterIPs", [])
        for index, family in enumerate(families):
            if index < first:
                continue
            allocator = self._addresses[family]
            if index < len(addresses) and addresses[index]:
                try:
                    allocator.check(addresses[index])
                except Taken as error:
                    detail = f"failed to allocate IP {addresses[index]}: {error}"
                    raise self._refusal(obj, "spec.clusterIPs", addresses, detail) from error
                continue
            try:
                found = allocator.pick()
            except Full as error:
                name = obj["metadata"].get("name", "")
                raise internal(f'failed to allocate a serviceIP for Service "{name}": {error}') from error
            addresses[index:] = [found]
        spec["clusterIP"] = addresses[0]

    def _new_ports(self, obj: Object) -> None:
        """Ports of one number (TCP and UDP) share a node port."""
        spec = obj["spec"]
        chosen: dict[int, int] = {}
        for index, port in enumerate(spec.get("ports", ())):
            if not port.get("nodePort") and not allocates_node_ports(spec):
                continue
            shared = chosen.get(port["port"])
            if shared is None:
                wanted = next(
                    (p["nodePort"] for p in spec["ports"] if p["port"] == port["port"] and p.get("nodePort")), 0
                )
                if wanted:
                    self._check(obj, index, wanted, set(chosen.values()))
                else:
                    wanted = self._pick(set(chosen.values()) | requested(spec))
                port["nodePort"] = chosen[port["port"]] = wanted
            elif not port.get("nodePort"):
                port["nodePort"] = shared
            elif port["nodePort"] != shared:
                self._check(obj, index, port["nodePort"], set(chosen.values()))

    def _updated_ports(self, obj: Object, held: set[int]) -> None:
        spec = obj["spec"]
        taken: set[int] = set()
        for index, port in enumerate(spec.get("ports", ())):
            number = port.get("nodePort")
            if not number and not allocates_node_ports(spec):
                continue
            if not number:
                port["nodePort"] = self._pick(taken | held | requested(spec))
            elif number not in held and number not in taken:
                self._check(obj, index, number, set())
            taken.add(port["nodePort"])

    def _health_check(self, obj: Object, held: set[int]) -> None:
        spec = obj["spec"]
        wanted = spec.get("healthCheckNodePort")
        if not wanted:
            spec["healthCheckNodePort"] = self._pick(requested(spec) | held)
            return
        try:
            self._ports.check(wanted, requested(spec))
        except Taken as error:
            raise internal(f"failed to allocate requested HealthCheck NodePort {wanted}: {error}") from error

    def _pick(self, besides: set[int]) -> int:
        try:
            return self._ports.pick(besides)
        except Full as error:
            raise internal(f"failed to allocate a nodePort: {error}") from error

    def _check(self, obj: Object, index: int, port: int, besides: set[int]) -> None:
        try:
            self._ports.check(port, besides)
        except Taken as error:
            raise self._refusal(obj, f"spec.ports[{index}].nodePort", port, str(error)) from error

    def _refusal(self, obj: Object, field: str, value: object, detail: str) -> ApiError:
        return invalid(SERVICES, obj["metadata"].get("name", ""), [field_invalid(field, value, detail)])


def wants_node_ports(spec: Object) -> bool:
    return spec.get("type") in ("NodePort", "LoadBalancer")


def allocates_node_ports(spec: Object) -> bool:
    """False for a LoadBalancer that forgoes them; ports that it names are respected all the same."""
    if spec.get("type") == "LoadBalancer":
        return bool(spec.get("allocateLoadBalancerNodePorts", True))
    return spec.get("type") == "NodePort"


def needs_health_check(spec: Object) -> bool:
    return spec.get("type") == "LoadBalancer" and spec.get("externalTrafficPolicy") == "Local"


def requested(spec: Object) -> set[int]:
    return {port["nodePort"] for port in spec.get("ports", ()) if port.get("nodePort")}
