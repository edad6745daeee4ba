"""The runtime's two gRPC services, spoken over its Unix socket; answers become values of `cri.model`.

Requests are dictionaries in the shape of the protocol's messages, so what builds them needs no gRPC. The channel is
made on first use: the process may have been forked after this module was imported.
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import grpc.aio
from cri_api.v1 import api_pb2, api_pb2_grpc

from weft.kubelet.cri import model
from weft.kubelet.cri.model import ContainerRecord, ExecResult, ImageFacts, PodKey, PodRecord, RuntimeFault, Sandbox

Message = dict[str, Any]
"""A message of runtime.v1 as a dictionary: its fields' names, enumerations by name or number."""

_CODES = {"deadline_exceeded": "DeadlineExceeded", "not_found": "NotFound", "already_exists": "AlreadyExists"}
_PHASES: tuple[model.ContainerPhase, ...] = ("created", "running", "exited", "unknown")
_CALL_SECONDS = 120.0
_CHANNEL_OPTIONS = (
    ("grpc.max_receive_message_length", 16 << 20),
    ("grpc.enable_http_proxy", 0),
    # gRPC's own patience with a daemon that restarts grows to two minutes.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1000),
)
_PULL_SECONDS = 3600.0


class Runtime:
    """`endpoint` is a gRPC target, `unix:///run/containerd/containerd.sock`."""

    def __init__(self, endpoint: str) -> None:
        self._endpoint = endpoint
        self._channel: Any = None
        self._runtime: Any = None
        self._images: Any = None
        self._settled: dict[str, ContainerRecord] = {}
        self._addresses: dict[str, tuple[tuple[str, ...], bool]] = {}

    def channel(self) -> Any:
        """The gRPC channel; other services of the same daemon may use it."""
        if self._channel is None:
            self._channel = grpc.aio.insecure_channel(self._endpoint, options=_CHANNEL_OPTIONS)
            self._runtime = api_pb2_grpc.RuntimeServiceStub(self._channel)
            self._images = api_pb2_grpc.ImageServiceStub(self._channel)
        return self._channel

    async def close(self) -> None:
        if self._channel is not None:
            await self._channel.close()
            self._channel = None

    async def _call(
        self, method: str, request: Message, *, timeout: float = _CALL_SECONDS, images: bool = False
    ) -> Any:
        """One exchange. Raises RuntimeFault, also where the daemon cannot be reached (code Unavailable)."""
        self.channel()
        stub = getattr(self._images if images else self._runtime, method)
        try:
            return await stub(getattr(api_pb2, f"{method}Request")(**request), timeout=timeout)
        except grpc.RpcError as error:
            code = error.code().name.lower()
            name = _CODES.get(code, "".join(part.title() for part in code.split("_")))
            raise RuntimeFault(name, error.details() or "") from None

    async def version(self) -> str:
        """`containerd://1.6.20`, as nodes report it."""
        reply = await self._call("Version", {})
        return f"{reply.runtime_name}://{reply.runtime_version.split('~')[0]}"

    async def status(self) -> model.RuntimeStatus:
        reply = await self._call("Status", {}, timeout=10)
        found = {c.type: model.RuntimeCondition(c.status, c.reason, c.message) for c in reply.status.conditions}
        missing = model.RuntimeCondition(False, "", "the runtime does not tell")
        return model.RuntimeStatus(found.get("RuntimeReady", missing), found.get("NetworkReady", missing))

    async def pod(self, uid: str) -> PodRecord:
        """Everything that the runtime holds of one pod."""
        selector = {"filter": {"label_selector": {model.POD_UID: uid}}}
        sandboxes, containers = await asyncio.gather(
            self._call("ListPodSandbox", selector), self._call("ListContainers", selector)
        )
        return PodRecord(
            tuple([await self._sandbox(item) for item in sorted(sandboxes.items, key=_newest)]),
            tuple([await self._container(item) for item in sorted(containers.containers, key=_newest)]),
        )

    async def pods(self) -> dict[PodKey, PodRecord]:
        """Everything that the runtime holds, cheaply: without exit codes and addresses."""
        sandboxes, containers = await asyncio.gather(self._call("ListPodSandbox", {}), self._call("ListContainers", {}))
        found: dict[PodKey, tuple[list[Sandbox], list[ContainerRecord]]] = {}
        for item in sorted(sandboxes.items, key=_newest):
            found.setdefault(_pod_key(item.labels), ([], []))[0].append(_plain_sandbox(item))
        for item in sorted(containers.containers, key=_newest):
            found.setdefault(_pod_key(item.labels), ([], []))[1].append(_plain_container(item))
        return {key: PodRecord(tuple(s), tuple(c)) for key, (s, c) in found.items() if key.uid}

    async def _sandbox(self, item: Any) -> Sandbox:
        plain = _plain_sandbox(item)
        if not plain.ready:
            return plain
        if item.id not in self._addresses:
            try:
                reply = (await self._call("PodSandboxStatus", {"pod_sandbox_id": item.id})).status
            except RuntimeFault as fault:
                if fault.code == "NotFound":
                    return plain
                raise
            host = reply.linux.namespaces.options.network == 2  # NamespaceMode NODE
            network = reply.network
            addresses = (network.ip, *(more.ip for more in network.additional_ips)) if network.ip else ()
            if not (addresses or host):
                return plain
            self._addresses[item.id] = (addresses, host)
        addresses, host = self._addresses[item.id]
        return _plain_sandbox(item, addresses=addresses, host_network=host)

    async def _container(self, item: Any) -> ContainerRecord:
        """With what only ContainerStatus tells; that of a running or exited container does not change any more."""
        known = self._settled.get(item.id)
        phase = _PHASES[item.state]
        if known is not None and known.phase == phase:
            return known
        try:
            status = (await self._call("ContainerStatus", {"container_id": item.id})).status
        except RuntimeFault as fault:
            if fault.code == "NotFound":
                return _plain_container(item)
            raise
        record = _plain_container(item, status)
        if record.phase in ("running", "exited"):
            self._settled[item.id] = record
        return record

    async def run_sandbox(self, config: Message) -> str:
        return str((await self._call("RunPodSandbox", {"config": config}, timeout=240)).pod_sandbox_id)

    async def stop_sandbox(self, sandbox_id: str) -> None:
        await self._call("StopPodSandbox", {"pod_sandbox_id": sandbox_id})

    async def remove_sandbox(self, sandbox_id: str) -> None:
        await self._call("RemovePodSandbox", {"pod_sandbox_id": sandbox_id})
        self._addresses.pop(sandbox_id, None)

    async def create(self, sandbox_id: str, config: Message, sandbox_config: Message) -> str:
        request = {"pod_sandbox_id": sandbox_id, "config": config, "sandbox_config": sandbox_config}
        return str((await self._call("CreateContainer", request)).container_id)

    async def start(self, container_id: str) -> None:
        await self._call("StartContainer", {"container_id": container_id})

    async def stop(self, container_id: str, grace: int) -> None:
        """SIGTERM, `grace` seconds, SIGKILL; returns when it has exited."""
        await self._call("StopContainer", {"container_id": container_id, "timeout": grace}, timeout=grace + 120)

    async def remove(self, container_id: str) -> None:
        await self._call("RemoveContainer", {"container_id": container_id})
        self._settled.pop(container_id, None)

    async def exec_sync(self, container_id: str, command: tuple[str, ...], timeout: float) -> ExecResult:
        """Raises RuntimeFault DeadlineExceeded when the command takes longer than `timeout` seconds."""
        request = {"container_id": container_id, "cmd": list(command), "timeout": int(timeout)}
        reply = await self._call("ExecSync", request, timeout=timeout + 5)
        return ExecResult(reply.stdout, reply.stderr, reply.exit_code)

    async def stream_url(self, method: str, request: Mapping[str, Any]) -> str:
        """Where the runtime's own server offers the stream: `method` is Exec, Attach or PortForward."""
        return str((await self._call(method, dict(request))).url)

    async def reopen_log(self, container_id: str) -> None:
        await self._call("ReopenContainerLog", {"container_id": container_id})

    async def image(self, reference: str) -> ImageFacts | None:
        reply = await self._call("ImageStatus", {"image": {"image": reference}}, images=True)
        return _image(reply.image) if reply.image.id else None

    async def images(self) -> tuple[ImageFacts, ...]:
        reply = await self._call("ListImages", {}, images=True)
        return tuple(_image(item) for item in reply.images)

    async def pull(self, reference: str, sandbox_config: Message, auth: Message | None = None) -> str:
        request = {"image": {"image": reference}, "auth": auth or {}, "sandbox_config": sandbox_config}
        return str((await self._call("PullImage", request, timeout=_PULL_SECONDS, images=True)).image_ref)

    async def container_stats(self) -> Any:
        """The protocol's own ContainerStats, one each."""
        return (await self._call("ListContainerStats", {})).stats


_newest: Callable[[Any], tuple[int, int]] = lambda item: (-item.created_at, -item.metadata.attempt)  # noqa: E731


def _pod_key(labels: Mapping[str, str]) -> PodKey:
    return PodKey(labels.get(model.POD_NAMESPACE, ""), labels.get(model.POD_NAME, ""), labels.get(model.POD_UID, ""))


def _plain_sandbox(item: Any, addresses: tuple[str, ...] = (), host_network: bool = False) -> Sandbox:
    key = _pod_key(item.labels)
    return Sandbox(item.id, key, item.metadata.attempt, item.state == 0, item.created_at / 1e9, host_network, addresses)


def _plain_container(item: Any, status: Any = None) -> ContainerRecord:
    """From a list's entry; `status` adds what only ContainerStatus tells."""
    return ContainerRecord(
        id=item.id,
        pod=_pod_key(item.labels),
        name=item.metadata.name,
        attempt=item.metadata.attempt,
        phase=_PHASES[status.state if status is not None else item.state],
        sandbox_id=item.pod_sandbox_id,
        created_at=item.created_at / 1e9,
        started_at=status.started_at / 1e9 if status is not None else 0.0,
        finished_at=status.finished_at / 1e9 if status is not None else 0.0,
        exit_code=status.exit_code if status is not None else 0,
        reason=status.reason if status is not None else "",
        message=status.message if status is not None else "",
        image=status.image.image if status is not None else item.image.image,
        image_ref=status.image_ref if status is not None else item.image_ref,
        hash=item.annotations.get(model.CONTAINER_HASH, ""),
        log_path=status.log_path if status is not None else "",
        annotations=dict(item.annotations),
    )


def _image(item: Any) -> ImageFacts:
    reference = item.repo_digests[0] if item.repo_digests else item.id
    user = item.uid.value if item.HasField("uid") else None
    return ImageFacts(item.id, reference, (*item.repo_digests, *item.repo_tags), item.size, user, item.username)
