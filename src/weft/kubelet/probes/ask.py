"""Asks a container whether it is well: httpGet, tcpSocket, exec, grpc. An answer is an Outcome, never an exception."""

import asyncio
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import grpc.aio
from yarl import URL

from weft.cluster.objects.container import Container, GRPCAction, HTTPGetAction, Probe, TCPSocketAction
from weft.kubelet.cri.client import Runtime
from weft.kubelet.cri.events import fields
from weft.kubelet.cri.model import RuntimeFault
from weft.kubelet.env.expand import expand
from weft.kubelet.probes.outcome import Outcome
from weft.kubelet.probes.target import USER_AGENT, HttpTarget, http_target, port_number

_LONGEST = 10 * 1024
_REDIRECTS = 10


async def ask(probe: Probe, container: Container, container_id: str, address: str, runtime: Runtime) -> Outcome:
    """One probe of a container whose pod has `address`, within the probe's own time-out."""
    timeout = float(max(probe.timeout_seconds, 1))
    try:
        if probe.http_get:
            return await http(probe.http_get, container, address, timeout)
        if probe.tcp_socket:
            return await _tcp(probe.tcp_socket, container, address, timeout)
        if probe.grpc:
            return await _grpc(probe.grpc, address, timeout)
        if probe.exec:
            values = {variable.name: variable.value for variable in container.env or () if not variable.value_from}
            command = tuple(expand(word, values) for word in probe.exec.command or ())
            return await _exec(runtime, container_id, command, timeout)
    except ValueError as error:
        return Outcome("error", str(error))
    return Outcome("error", f"missing probe handler for {container.name}")


async def http(action: HTTPGetAction, container: Container, address: str, timeout: float) -> Outcome:
    """200 to 399 is success. Redirects are followed on the same host; one that leads elsewhere is a warning."""
    target = http_target(action, container, address)
    try:
        async with asyncio.timeout(timeout):
            return await _http(target)
    except TimeoutError:
        text = "context deadline exceeded (Client.Timeout exceeded while awaiting headers)"
        return Outcome("failure", f'Get "{target.url}": {text}')
    except aiohttp.ClientConnectorError as error:
        reason = error.os_error.strerror or str(error.os_error)
        refused = isinstance(error.os_error, ConnectionRefusedError)
        where = urlsplit(target.url).netloc
        text = f"dial tcp {where}: connect: {'connection refused' if refused else reason.lower()}"
        return Outcome("failure", f'Get "{target.url}": {text}', refused=refused)
    except (aiohttp.ClientError, OSError) as error:
        return Outcome("failure", f'Get "{target.url}": {error or "EOF"}')


async def _http(target: HttpTarget) -> Outcome:
    url = URL(target.url, encoded=True)
    host = url.host
    connector = aiohttp.TCPConnector(ssl=False, force_close=True)
    async with aiohttp.ClientSession(connector=connector, auto_decompress=False) as session:
        for _ in range(_REDIRECTS):
            async with session.get(url, headers=target.headers, allow_redirects=False) as response:
                body = (await response.content.read(_LONGEST)).decode(errors="replace")
                where = response.headers.get("Location")
                if response.status in (301, 302, 303, 307, 308) and where:
                    url = url.join(URL(where))
                    if url.host != host:
                        return Outcome("warning", f"Probe terminated redirects, Response body: {body}")
                    continue
                if 200 <= response.status < 400:
                    return Outcome("success", body)
                return Outcome("failure", f"HTTP probe failed with statuscode: {response.status}")
    return Outcome("failure", f'Get "{url}": stopped after {_REDIRECTS} redirects')


async def _tcp(action: TCPSocketAction, container: Container, address: str, timeout: float) -> Outcome:
    host, port = action.host or address, port_number(action.port, container)
    shown = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    try:
        async with asyncio.timeout(timeout):
            _, writer = await asyncio.open_connection(host, port)
    except TimeoutError:
        return Outcome("failure", f"dial tcp {shown}: i/o timeout")
    except OSError as error:
        refused = isinstance(error, ConnectionRefusedError)
        reason = "connection refused" if refused else (error.strerror or str(error)).lower()
        return Outcome("failure", f"dial tcp {shown}: connect: {reason}", refused=refused)
    writer.close()
    return Outcome("success")


async def _exec(runtime: Runtime, container_id: str, command: tuple[str, ...], timeout: float) -> Outcome:
    try:
        done = await runtime.exec_sync(container_id, command, timeout)
    except RuntimeFault as fault:
        if fault.code == "DeadlineExceeded":
            return Outcome("failure", f'command timed out: "{" ".join(command)}" timed out after {timeout:g}s')
        return Outcome("error", str(fault))
    output = (done.stdout + done.stderr)[:_LONGEST].decode(errors="replace")
    return Outcome("success" if done.exit_code == 0 else "failure", output)


async def _grpc(action: GRPCAction, address: str, timeout: float) -> Outcome:
    """grpc.health.v1.Health/Check: HealthCheckRequest 1 service; HealthCheckResponse 1 status, 1 is SERVING."""
    shown = f"[{address}]" if ":" in address else address
    service = (action.service or "").encode()
    request = b"\x0a" + bytes([len(service)]) + service if service else b""
    options = [("grpc.primary_user_agent", USER_AGENT), ("grpc.enable_http_proxy", 0)]
    async with grpc.aio.insecure_channel(f"{shown}:{action.port}", options=options) as channel:
        check = channel.unary_unary("/grpc.health.v1.Health/Check", _same, _same)
        try:
            reply = await check(request, timeout=timeout)
        except grpc.RpcError as error:
            return _grpc_failure(error, shown, action.port, timeout)
    status = dict(fields(reply)).get(1, 0)
    if status == 1:
        return Outcome("success", "service healthy")
    names = {0: "UNKNOWN", 2: "NOT_SERVING", 3: "SERVICE_UNKNOWN"}
    word = names.get(status, str(status)) if isinstance(status, int) else "UNKNOWN"
    return Outcome("failure", f"service unhealthy (responded with {word!r})".replace("'", '"'))


def _grpc_failure(error: Any, host: str, port: int, timeout: float) -> Outcome:
    code = error.code().name
    if code in ("UNAVAILABLE", "DEADLINE_EXCEEDED"):
        text = f'timeout: failed to connect service "{host}:{port}" within {timeout:g}s'
        return Outcome("failure", text, refused=code == "UNAVAILABLE")
    if code == "UNIMPLEMENTED":
        return Outcome("failure", f"error: this server does not implement the grpc health protocol: {error.details()}")
    return Outcome("failure", f"error: health rpc probe failed: {error.details()}")


def _same(data: Any) -> Any:
    return data
