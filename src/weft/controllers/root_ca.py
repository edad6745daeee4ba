"""Every namespace has a ConfigMap `kube-root-ca.crt`, by which pods know the API server ("Root CA publisher")."""

from weft.cluster.errors import AlreadyExists, ApiError
from weft.cluster.objects.resource import CONFIGMAPS, NAMESPACES
from weft.cluster.port import Object
from weft.controllers.context import Context, whole
from weft.controllers.namespace.plan import is_active, is_terminating_error
from weft.reconcile.queue import WorkQueue

NAME = "kube-root-ca.crt"
_DESCRIPTION = (
    "Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as the "
    "internal service IP or kubernetes.default.svc. No other usage is guaranteed across distributions of Kubernetes "
    "clusters."
)


class RootCaPublisher:
    def __init__(self, context: Context) -> None:
        self._context = context
        path = context.options.root_ca_file
        self._bundle = path.read_text() if path else ""
        self._namespaces = context.cache(NAMESPACES)
        self._maps = context.cache(CONFIGMAPS)
        self._queue = WorkQueue(self._sync, name="root-ca")

    async def run(self) -> None:
        if not self._bundle:
            return
        await self._context.synced(self._namespaces, self._maps)
        self._namespaces.subscribe(lambda key, _old, _new: self._queue.add(key))
        self._maps.subscribe(self._map_changed)
        await self._queue.run()

    def _map_changed(self, key: str, _old: Object | None, _new: Object | None) -> None:
        namespace, _, name = key.partition("/")
        if name == NAME:
            self._queue.add(namespace)

    async def _sync(self, name: str) -> None:
        if not is_active(self._namespaces.objects.get(name)):
            return
        found = self._maps.get(name, NAME)
        wanted = {"ca.crt": self._bundle}
        about = {"kubernetes.io/description": _DESCRIPTION}
        try:
            if found is None:
                meta = {"name": NAME, "namespace": name, "annotations": about}
                made = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": wanted}
                self._maps.remember(await self._context.cluster.create(CONFIGMAPS, made, name))
            elif found.get("data") != wanted:
                meta = {**found["metadata"], "annotations": {**(found["metadata"].get("annotations") or {}), **about}}
                changed = {**whole(CONFIGMAPS, found), "metadata": meta, "data": wanted}
                self._maps.remember(await self._context.cluster.update(CONFIGMAPS, changed))
        except AlreadyExists:
            pass
        except ApiError as error:
            if not is_terminating_error(error):
                raise
