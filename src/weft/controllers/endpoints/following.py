"""Which Services must look at their endpoints again when a pod, a node or the Service itself has changed."""

from collections.abc import Callable, Iterable

from weft.cluster.objects.resource import NODES, PODS, SERVICES
from weft.cluster.objects.selector import equality_matches
from weft.cluster.port import Object
from weft.controllers.cache import key_of
from weft.controllers.context import Context
from weft.controllers.endpoints.model import ZONE, essence, is_selected_by_pods

OnService = Callable[[str], None]


class Followed:
    """Services, their pods and nodes, indexed both ways by label so that a change of one pod costs little."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self.services = context.cache(SERVICES)
        self.pods = context.cache(PODS)
        self.nodes = context.cache(NODES)
        self.services.add_index("selector", _selector_entry)
        self.pods.add_index("label", _label_entries)
        self.pods.add_index("node", _node_entry)

    async def follow(self, on_service: OnService) -> None:
        """Calls back with the key of every Service that must look again; first with all of them."""
        await self._context.synced(self.services, self.pods, self.nodes)
        self.services.subscribe(lambda key, _old, _new: on_service(key))

        def pod_changed(_key: str, old: Object | None, new: Object | None) -> None:
            if old is not None and new is not None and essence(old) == essence(new):
                return
            for service in self._services_of(old, new):
                on_service(key_of(service))

        def node_changed(name: str, old: Object | None, new: Object | None) -> None:
            if old is not None and new is not None and _zone(old) == _zone(new):
                return
            for service in self._services_of(*self.pods.find("node", name)):
                on_service(key_of(service))

        self.pods.subscribe(pod_changed)
        self.nodes.subscribe(node_changed)

    def pods_of(self, service: Object) -> list[Object]:
        selector = service["spec"]["selector"]
        candidates = (pod for entry in _selector_entry(service) for pod in self.pods.find("label", entry))
        return [pod for pod in candidates if equality_matches(selector, pod["metadata"].get("labels"))]

    def zones(self, pods: Iterable[Object]) -> dict[str, str]:
        """The zone of every node that exists and runs one of the pods."""
        names = {pod["spec"].get("nodeName", "") for pod in pods}
        nodes = self.nodes.objects
        return {name: _zone(nodes[name]) for name in names if name in nodes}

    def _services_of(self, *pods: Object | None) -> Iterable[Object]:
        found: dict[str, Object] = {}
        for pod in pods:
            for entry in _label_entries(pod) if pod is not None else ():
                for service in self.services.find("selector", entry):
                    if pod is not None and equality_matches(service["spec"]["selector"], pod["metadata"].get("labels")):
                        found[key_of(service)] = service
        return found.values()


def _zone(node: Object) -> str:
    return str((node["metadata"].get("labels") or {}).get(ZONE, ""))


def _label_entries(obj: Object) -> Iterable[str]:
    meta = obj["metadata"]
    return [f"{meta['namespace']}/{name}={value}" for name, value in (meta.get("labels") or {}).items()]


def _selector_entry(service: Object) -> Iterable[str]:
    """One of the selector's labels stands for all."""
    if not is_selected_by_pods(service):
        return ()
    name, value = min(service["spec"]["selector"].items())
    return (f"{service['metadata']['namespace']}/{name}={value}",)


def _node_entry(pod: Object) -> Iterable[str]:
    return (pod["spec"].get("nodeName", ""),)
