"""The cluster as DNS sees it: a few indexes over the watched objects, changed by one event at a time.

Pure. Each change says which tags it touches; prepared answers that carry one of them are forgotten:
`NAMESPACE/SERVICE` for all names of a Service, `ip:ADDRESS` for its reverse name and the pod of that address.
"""

from collections.abc import Iterable

from weft.dns.plugins.kubernetes.objects import EndpointSlice, Namespace, Pod, Service

_Keys = str | tuple[str, ...]
"""One key, as nearly always, or several: a set for each of 100,000 addresses would cost 20 MB."""


class Model:
    """`serial` counts in seconds: the time of the last change, for the SOA."""

    def __init__(self) -> None:
        self.services: dict[str, Service] = {}
        self.namespaces: set[str] = set()
        self.slices: dict[str, dict[str, EndpointSlice]] = {}
        """By the key of their Service, then by their own."""
        self.serial = 0
        self._services_by_address: dict[str, _Keys] = {}
        self._slices_by_address: dict[str, _Keys] = {}
        self._pods_by_address: dict[str, _Keys] = {}

    def set_service(self, key: str, old: Service | None, new: Service | None) -> set[str]:
        before, after = (_service_addresses(service) for service in (old, new))
        _reindex(self._services_by_address, key, before, after)
        if new is None:
            self.services.pop(key, None)
        else:
            self.services[key] = new
        return {key, *(f"ip:{address}" for address in before ^ after)}

    def set_slice(self, key: str, old: EndpointSlice | None, new: EndpointSlice | None) -> set[str]:
        before, after = (_ready_addresses(slice_) for slice_ in (old, new))
        touched = {_service_key(slice_) for slice_ in (old, new) if slice_}
        owner = _service_key(new) if new else ""
        for service in touched:
            self._set_slice_of(service, key, new if service == owner else None)
        _reindex(self._slices_by_address, f"{_service_key(old)}|{key}" if old else "", before, set())
        _reindex(self._slices_by_address, f"{owner}|{key}" if new else "", set(), after)
        return {*touched, *(f"ip:{address}" for address in before | after)}

    def _set_slice_of(self, service: str, key: str, new: EndpointSlice | None) -> None:
        of_service = self.slices.setdefault(service, {})
        if new is None:
            of_service.pop(key, None)
        else:
            of_service[key] = new
        if not of_service:
            del self.slices[service]

    def set_pod(self, key: str, old: Pod | None, new: Pod | None) -> set[str]:
        before, after = (_pod_addresses(pod) for pod in (old, new))
        _reindex(self._pods_by_address, key, before, after)
        return {f"ip:{address}" for address in before | after}

    def set_namespace(self, key: str, new: Namespace | None) -> bool:
        """True where names of the namespace begin or cease to exist."""
        if (new is not None) == (key in self.namespaces):
            return False
        if new is None:
            self.namespaces.discard(key)
        else:
            self.namespaces.add(key)
        return True

    def services_at(self, address: str) -> list[Service]:
        return [self.services[key] for key in _keys(self._services_by_address.get(address))]

    def slices_at(self, address: str) -> list[tuple[str, EndpointSlice]]:
        """Slices with the address among their ready endpoints, each with the key of its Service."""
        found = []
        for both in _keys(self._slices_by_address.get(address)):
            service, _, key = both.partition("|")
            found.append((service, self.slices[service][key]))
        return found

    def pod_namespaces_at(self, address: str) -> set[str]:
        return {key.partition("/")[0] for key in _keys(self._pods_by_address.get(address))}


def _service_key(slice_: EndpointSlice) -> str:
    labels = slice_.metadata.labels
    return f"{slice_.metadata.namespace}/{labels.service if labels else ''}"


def _service_addresses(service: Service | None) -> set[str]:
    return {address for address in service.addresses if address not in ("", "None")} if service else set()


def _ready_addresses(slice_: EndpointSlice | None) -> set[str]:
    if slice_ is None:
        return set()
    return {
        address
        for endpoint in slice_.endpoints or ()
        if endpoint.conditions is None or endpoint.conditions.ready is not False
        for address in endpoint.addresses
    }


def _pod_addresses(pod: Pod | None) -> set[str]:
    if pod is None or pod.metadata.deletion_timestamp:
        return set()
    return {address.ip for address in pod.status.pod_ips or () if address.ip}


def _keys(entry: _Keys | None) -> tuple[str, ...]:
    return () if entry is None else (entry,) if isinstance(entry, str) else entry


def _reindex(index: dict[str, _Keys], key: str, before: Iterable[str], after: Iterable[str]) -> None:
    for address in set(before) - set(after):
        left = tuple(k for k in _keys(index.get(address)) if k != key)
        if left:
            index[address] = left if len(left) > 1 else left[0]
        else:
            index.pop(address, None)
    for address in set(after) - set(before):
        keys = tuple(sorted({*_keys(index.get(address)), key}))
        index[address] = keys if len(keys) > 1 else keys[0]
