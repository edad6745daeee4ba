"""The port to Kubernetes: everything a component may ask of an API server, real or fake.

Objects come back decoded as the `as_` type: `dict` (all fields) or a struct of `cluster.objects` (trimmed). Every call
raises a subclass of `cluster.errors.ApiError`.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Literal, Protocol, TypeVar

from weft.cluster.objects.resource import Resource

T = TypeVar("T")
Object = dict[str, Any]
EventType = Literal["ADDED", "MODIFIED", "DELETED", "BOOKMARK"]
PatchType = Literal["json", "merge", "strategic", "apply"]
Propagation = Literal["Background", "Foreground", "Orphan"]


@dataclass(frozen=True, slots=True)
class Listing(Generic[T]):
    """A list of objects and the resourceVersion at which it was true."""

    items: tuple[T, ...]
    resource_version: str
    continue_token: str = ""


@dataclass(frozen=True, slots=True)
class Event(Generic[T]):
    """One line of a watch. A BOOKMARK carries only a `resource_version`; `object` is then None."""

    type: EventType
    object: T | None
    resource_version: str


class Cluster(Protocol):
    async def get(self, resource: Resource, name: str, namespace: str = "", *, as_: type[T]) -> T: ...

    async def list(
        self,
        resource: Resource,
        namespace: str = "",
        *,
        as_: type[T],
        label_selector: str = "",
        field_selector: str = "",
        resource_version: str = "",
        limit: int = 0,
        continue_token: str = "",
    ) -> Listing[T]: ...

    def watch(
        self,
        resource: Resource,
        namespace: str = "",
        *,
        as_: type[T],
        resource_version: str,
        label_selector: str = "",
        field_selector: str = "",
        timeout: float = 0,
    ) -> AsyncIterator[Event[T]]:
        """Events after `resource_version`, until the server ends the watch. Raises Expired when that is too old."""
        ...

    async def create(
        self, resource: Resource, obj: Mapping[str, Any], namespace: str = "", *, name: str = "", subresource: str = ""
    ) -> Object:
        """POST; with `name` and `subresource` to a subresource (`pods/web/binding`)."""
        ...

    async def update(self, resource: Resource, obj: Mapping[str, Any], *, subresource: str = "") -> Object:
        """PUT of the whole object (or of its `status`); metadata name, namespace and resourceVersion say which."""
        ...

    async def patch(
        self,
        resource: Resource,
        name: str,
        patch: Mapping[str, Any] | Sequence[Any],
        namespace: str = "",
        *,
        type: PatchType = "merge",
        subresource: str = "",
        field_manager: str = "",
        force: bool = False,
    ) -> Object: ...

    async def delete(
        self,
        resource: Resource,
        name: str,
        namespace: str = "",
        *,
        uid: str = "",
        grace_period: int | None = None,
        propagation: Propagation | None = None,
    ) -> None: ...

    async def close(self) -> None: ...
