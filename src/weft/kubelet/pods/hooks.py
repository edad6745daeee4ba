"""Lifecycle hooks: exec, httpGet, sleep ("Container Lifecycle Hooks")."""

import asyncio

from weft.cluster.objects.container import Container, LifecycleHandler
from weft.kubelet.cri.client import Runtime
from weft.kubelet.cri.model import RuntimeFault
from weft.kubelet.probes.ask import http

_NO_LIMIT = 3600.0


class HookError(Exception):
    """The hook failed; the text is for the log, for it may hold secrets."""


async def run_hook(
    handler: LifecycleHandler, container: Container, container_id: str, address: str, runtime: Runtime
) -> None:
    """Raises HookError."""
    if handler.exec:
        try:
            done = await runtime.exec_sync(container_id, handler.exec.command or (), _NO_LIMIT)
        except RuntimeFault as fault:
            raise HookError(str(fault)) from None
        if done.exit_code:
            output = (done.stdout + done.stderr).decode(errors="replace")[:1024]
            raise HookError(f"command exited with {done.exit_code}: {output}")
    elif handler.http_get:
        try:
            outcome = await http(handler.http_get, container, address, 30.0)
        except ValueError as error:
            raise HookError(str(error)) from None
        if outcome.result not in ("success", "warning"):
            raise HookError(outcome.output)
    elif handler.sleep:
        await asyncio.sleep(handler.sleep.seconds)
    else:
        raise HookError("invalid handler: it has no action")
