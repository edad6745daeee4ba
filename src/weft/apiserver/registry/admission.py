"""The step between authorization and storage: what an object's creation means to other objects, and the reverse.

The registry works on one thread and a write is applied in one step: between `admit_*` and `applied` no other write
happens. So an implementation that hands something out (addresses, ports) decides in `admit_*` from what it knows to be
in use, and learns in `applied` what really is: a dry run or a failed validation never reaches `applied`, and nothing
has to be given back.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from weft.apiserver.auth.access import User
from weft.apiserver.registry.kind import Kind, Object
from weft.cluster.objects.resource import Resource


class Reader(Protocol):
    """The newest state, writes under way included. What comes back is the caller's own to change."""

    def get(self, resource: Resource, name: str, namespace: str = "") -> Object | None: ...

    def list(self, resource: Resource, namespace: str = "") -> Iterator[Object]:
        """All of a namespace, or of all with ""."""
        ...


@dataclass(frozen=True, slots=True)
class Context:
    user: User
    reader: Reader
    dry_run: bool = False
    subresource: str = ""
    """`status`, `ephemeralcontainers`, `scale` … or "" for the object itself."""


class Admission(Protocol):
    """One plug-in. It is asked about every kind and passes over those that it does not care for."""

    def admit_create(self, kind: Kind, obj: Object, context: Context) -> None:
        """After defaulting, before validation. Changes `obj` in place; raises cluster.errors.ApiError to refuse."""
        ...

    def admit_update(self, kind: Kind, new: Object, old: Object, context: Context) -> None:
        """As admit_create. `old` must not be changed."""
        ...

    def admit_delete(self, kind: Kind, old: Object, context: Context) -> None:
        """Raises ApiError to refuse."""
        ...

    def applied(self, kind: Kind, old: Object | None, new: Object | None) -> None:
        """`old` became `new`: None before creation, None after deletion. Called for every stored object at the
        start (None → object). Must not raise, nor change either."""
        ...


class Passive:
    """A base that admits everything; override what is cared for."""

    def admit_create(self, kind: Kind, obj: Object, context: Context) -> None:
        return None

    def admit_update(self, kind: Kind, new: Object, old: Object, context: Context) -> None:
        return None

    def admit_delete(self, kind: Kind, old: Object, context: Context) -> None:
        return None

    def applied(self, kind: Kind, old: Object | None, new: Object | None) -> None:
        return None
