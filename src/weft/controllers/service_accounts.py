"""Every namespace has a ServiceAccount `default` ("Managing Service Accounts")."""

from weft.cluster.errors import AlreadyExists, ApiError
from weft.cluster.objects.resource import NAMESPACES, SERVICE_ACCOUNTS
from weft.cluster.port import Object
from weft.controllers.context import Context
from weft.controllers.namespace.plan import is_active, is_terminating_error
from weft.reconcile.queue import WorkQueue


class ServiceAccountController:
    def __init__(self, context: Context) -> None:
        self._context = context
        self._namespaces = context.cache(NAMESPACES)
        self._accounts = context.cache(SERVICE_ACCOUNTS)
        self._queue = WorkQueue(self._sync, name="serviceaccount")

    async def run(self) -> None:
        await self._context.synced(self._namespaces, self._accounts)
        self._namespaces.subscribe(lambda key, _old, _new: self._queue.add(key))
        self._accounts.subscribe(self._account_changed)
        await self._queue.run()

    def _account_changed(self, key: str, _old: Object | None, new: Object | None) -> None:
        if new is None:
            self._queue.add(key.partition("/")[0])

    async def _sync(self, name: str) -> None:
        if not is_active(self._namespaces.objects.get(name)) or self._accounts.get(name, "default"):
            return
        account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default", "namespace": name}}
        try:
            self._accounts.remember(await self._context.cluster.create(SERVICE_ACCOUNTS, account, name))
        except AlreadyExists:
            pass
        except ApiError as error:
            if not is_terminating_error(error):
                raise
