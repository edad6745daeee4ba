"""exec, attach and port-forward: SPDY clients are spliced onto the runtime's stream, WebSocket clients bridged."""

import logging
from collections.abc import Mapping

from aiohttp import web
from multidict import MultiMapping

from weft.kubelet.agent import PodAgent
from weft.kubelet.cri.client import Runtime
from weft.kubelet.cri.model import RuntimeFault
from weft.kubelet.pods.worker import PodWorker
from weft.kubelet.streaming.bridge import bridge_channels, bridge_raw
from weft.kubelet.streaming.splice import splice
from weft.kubelet.streaming.upstream import Upstream, upgrade

_CHANNELS = ("v5.channel.k8s.io", "v4.channel.k8s.io")
_TUNNEL = "SPDY/3.1+portforward.k8s.io"
_RUNTIME_CHANNELS = "v4.channel.k8s.io"
_RUNTIME_FORWARD = "portforward.k8s.io"
_log = logging.getLogger(__name__)


class StreamHandlers:
    def __init__(self, runtime: Runtime, agent: PodAgent) -> None:
        self._runtime = runtime
        self._agent = agent

    async def exec(self, request: web.Request) -> web.StreamResponse:
        identity = self._container(request)
        command = request.query.getall("command", [])
        if not command:
            raise web.HTTPBadRequest(text="you must specify at least 1 command for the container")
        wanted = wanted_streams(request.query)
        body = {"container_id": identity, "cmd": list(command), **wanted}
        return await self._serve(request, "Exec", body, wanted)

    async def attach(self, request: web.Request) -> web.StreamResponse:
        wanted = wanted_streams(request.query)
        return await self._serve(request, "Attach", {"container_id": self._container(request), **wanted}, wanted)

    async def port_forward(self, request: web.Request) -> web.StreamResponse:
        sandbox = self._worker(request).record.sandbox
        if sandbox is None or not sandbox.ready:
            raise web.HTTPNotFound(text=f"sandbox of pod {request.match_info['pod']} not found")
        ports = [int(p) for text in request.query.getall("port", []) for p in text.split(",") if p.isdigit()]
        return await self._serve(request, "PortForward", {"pod_sandbox_id": sandbox.id, "port": ports}, None)

    def _worker(self, request: web.Request) -> PodWorker:
        info = request.match_info
        worker = self._agent.find(info["namespace"], info["pod"], info.get("uid", ""))
        if worker is None:
            raise web.HTTPNotFound(text=f'pod does not exist: "{info["pod"]}" in namespace "{info["namespace"]}"')
        return worker

    def _container(self, request: web.Request) -> str:
        name = request.match_info["container"]
        for record in self._worker(request).record.containers:
            if record.name == name and record.phase == "running":
                return record.id
        raise web.HTTPNotFound(text=f'container not found ("{name}")')

    async def _serve(
        self, request: web.Request, method: str, body: Mapping[str, object], wanted: Mapping[str, bool] | None
    ) -> web.StreamResponse:
        """`wanted`: the channels of exec and attach; None for port-forward."""
        upgrade_to = request.headers.get("Upgrade", "").lower()
        if upgrade_to not in ("websocket", "spdy/3.1"):
            raise web.HTTPBadRequest(text="Upgrade request required")
        try:
            url = await self._runtime.stream_url(method, body)
            if upgrade_to == "spdy/3.1":
                offered = request.headers.getall("X-Stream-Protocol-Version", [])
                names = [name.strip() for line in offered for name in line.split(",")]
                return await splice(request, await upgrade(url, names))
            return await self._websocket(request, url, wanted)
        except RuntimeFault as fault:
            raise web.HTTPInternalServerError(text=str(fault)) from None
        except (OSError, TimeoutError) as error:
            raise web.HTTPBadGateway(text=f"the runtime's streaming server cannot be used: {error}") from None

    async def _websocket(self, request: web.Request, url: str, wanted: Mapping[str, bool] | None) -> web.StreamResponse:
        protocols = (_TUNNEL,) if wanted is None else _CHANNELS
        offered = [name.strip() for name in request.headers.get("Sec-WebSocket-Protocol", "").split(",")]
        if not any(name in protocols for name in offered):
            raise web.HTTPForbidden(text=f"unable to upgrade: none of the subprotocols {offered} is served here")
        upstream = await self._joined(url, _RUNTIME_FORWARD if wanted is None else _RUNTIME_CHANNELS)
        socket = web.WebSocketResponse(protocols=protocols, max_msg_size=0, compress=False)
        await socket.prepare(request)
        if wanted is None:
            await bridge_raw(socket, upstream)
        else:
            await bridge_channels(socket, upstream, wanted)
        return socket

    async def _joined(self, url: str, protocol: str) -> Upstream:
        upstream = await upgrade(url, [protocol])
        if not upstream.upgraded:
            upstream.writer.close()
            raise OSError(upstream.head.split(b"\r\n")[0].decode(errors="replace"))
        return upstream


def wanted_streams(query: MultiMapping[str]) -> dict[str, bool]:
    """The kubelet's own names of the parameters (input, output, error), or those of PodExecOptions."""

    def flag(*names: str) -> bool:
        return any(query.get(name, "").lower() in ("1", "true") for name in names)

    tty = flag("tty")
    return {
        "stdin": flag("input", "stdin"),
        "stdout": flag("output", "stdout"),
        "stderr": flag("error", "stderr") and not tty,
        "tty": tty,
    }
