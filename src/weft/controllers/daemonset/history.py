"""The revisions of a DaemonSet's template, kept as ControllerRevisions for `kubectl rollout history|undo`. Pure."""

from collections.abc import Iterable, Sequence
from typing import Any

from weft.cluster.objects.resource import DAEMON_SETS
from weft.cluster.port import Object
from weft.controllers.daemonset.placement import HASH_LABEL
from weft.controllers.deployment.revision import comparable, template_hash
from weft.controllers.owners import controller_reference


def data_of(daemon_set: Object) -> Object:
    """A strategic merge patch that brings the template back as it is now."""
    return {"spec": {"template": {**daemon_set["spec"]["template"], "$patch": "replace"}}}


def _matches(daemon_set: Object, revision: Object) -> bool:
    kept: dict[str, Any] = dict(((revision.get("data") or {}).get("spec") or {}).get("template") or {})
    kept.pop("$patch", None)
    return bool(kept) and comparable(kept) == comparable(daemon_set["spec"]["template"])


def split_current_and_old(daemon_set: Object, revisions: Iterable[Object]) -> tuple[Object | None, list[Object]]:
    """The newest revision with the DaemonSet's template, and the others, lowest first."""
    ordered = sorted(revisions, key=lambda each: each.get("revision", 0))
    current = next((each for each in reversed(ordered) if _matches(daemon_set, each)), None)
    return current, [each for each in ordered if each is not current]


def next_number(old: Sequence[Object]) -> int:
    return max((each.get("revision", 0) for each in old), default=0) + 1


def new_revision(daemon_set: Object, number: int) -> Object:
    meta, template = daemon_set["metadata"], daemon_set["spec"]["template"]
    hashed = template_hash(template, (daemon_set.get("status") or {}).get("collisionCount"))
    annotations = {
        name: value
        for name, value in (meta.get("annotations") or {}).items()
        if name != "kubectl.kubernetes.io/last-applied-configuration"
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "ControllerRevision",
        "metadata": {
            "name": f"{meta['name']}-{hashed}",
            "namespace": meta["namespace"],
            "labels": {**((template.get("metadata") or {}).get("labels") or {}), HASH_LABEL: hashed},
            **({"annotations": annotations} if annotations else {}),
            "ownerReferences": [controller_reference(DAEMON_SETS, daemon_set)],
        },
        "data": data_of(daemon_set),
        "revision": number,
    }


def hash_of(revision: Object) -> str:
    return str((revision["metadata"].get("labels") or {}).get(HASH_LABEL, ""))


def surplus(daemon_set: Object, old: Sequence[Object], hashes_in_use: Iterable[str]) -> list[Object]:
    """The lowest old revisions beyond revisionHistoryLimit that no pod is of."""
    limit = daemon_set["spec"].get("revisionHistoryLimit")
    used = frozenset(hashes_in_use)
    unused = [each for each in old if hash_of(each) not in used]
    return unused[: max(0, len(old) - (10 if limit is None else limit))]
