"""Admission's view of the store, and the registry's way from a kind to its records."""

from collections.abc import Iterator

from weft.apiserver.registry.failures import group_resource
from weft.apiserver.registry.kind import Kind, Object
from weft.apiserver.storage.store import Store, key_of
from weft.cluster.objects.resource import Resource


def storage_name(kind: Kind) -> str:
    return group_resource(kind.stored_as or kind.resource)


class HeadReader:
    """`admission.Reader` over the store's head."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def get(self, resource: Resource, name: str, namespace: str = "") -> Object | None:
        record = self._store.head(group_resource(resource), key_of(namespace, name))
        return record.object() if record else None

    def list(self, resource: Resource, namespace: str = "") -> Iterator[Object]:
        for record in self._store.head_all(group_resource(resource), namespace):
            yield record.object()
