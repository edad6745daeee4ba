"""Fills aggregated ClusterRoles with the rules of those that their selectors match ("Aggregated ClusterRoles")."""

from collections.abc import Iterable

from weft.cluster.objects.resource import CLUSTER_ROLES
from weft.cluster.objects.selector import label_selector_matches
from weft.cluster.port import Object
from weft.controllers.context import Context
from weft.reconcile.queue import WorkQueue


def aggregated(role: Object, roles: Iterable[Object]) -> list[Object]:
    """The rules that the role gathers, each once, in the order of its selectors and of the roles' names."""
    ordered = sorted(roles, key=lambda each: str(each["metadata"]["name"]))
    rules: list[Object] = []
    for selector in (role.get("aggregationRule") or {}).get("clusterRoleSelectors") or ():
        for other in ordered:
            if other["metadata"]["name"] == role["metadata"]["name"]:
                continue
            if label_selector_matches(selector, other["metadata"].get("labels")):
                rules.extend(rule for rule in other.get("rules") or () if rule not in rules)
    return rules


class ClusterRoleAggregationController:
    def __init__(self, context: Context) -> None:
        self._context = context
        self._roles = context.cache(CLUSTER_ROLES)
        self._queue = WorkQueue(self._sync, name="clusterrole-aggregation", workers=2)

    async def run(self) -> None:
        await self._context.synced(self._roles)
        self._roles.subscribe(self._changed)
        await self._queue.run()

    def _changed(self, _key: str, _old: Object | None, _new: Object | None) -> None:
        for name, role in self._roles.objects.items():
            if role.get("aggregationRule"):
                self._queue.add(name)

    async def _sync(self, name: str) -> None:
        role = self._roles.objects.get(name)
        if role is None or not role.get("aggregationRule"):
            return
        rules = aggregated(role, self._roles.objects.values())
        if rules == (role.get("rules") or []):
            return
        patch = {"metadata": {"resourceVersion": role["metadata"]["resourceVersion"]}, "rules": rules}
        self._roles.remember(await self._context.cluster.patch(CLUSTER_ROLES, name, patch))
