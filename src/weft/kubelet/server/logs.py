"""GET /containerLogs/NAMESPACE/POD/CONTAINER: a container's log, as PodLogOptions ask for it."""

import time
from pathlib import Path

from aiohttp import web
from multidict import MultiMapping

from weft.kubelet.agent import PodAgent
from weft.kubelet.cri.model import ContainerRecord
from weft.kubelet.logs.format import nanoseconds
from weft.kubelet.logs.reader import LogOptions, read_log
from weft.kubelet.pods.identity import find_container
from weft.kubelet.pods.worker import PodWorker


def log_options(query: MultiMapping[str], now: float) -> tuple[LogOptions, bool]:
    """The options, and whether the container before is meant. Raises ValueError that names the parameter."""
    since = 0
    if seconds := _number(query, "sinceSeconds"):
        since = int((now - seconds) * 1e9)
    if stamp := query.get("sinceTime"):
        try:
            since = nanoseconds(stamp)
        except ValueError:
            raise ValueError(f"sinceTime: {stamp!r} is not a time (give one such as 2026-01-02T15:04:05Z)") from None
    stream = (query.get("stream") or "").lower()
    options = LogOptions(
        follow=_flag(query, "follow"),
        tail=_number(query, "tailLines"),
        since=since,
        timestamps=_flag(query, "timestamps"),
        limit=_number(query, "limitBytes"),
        stream="" if stream == "all" else stream,
    )
    return options, _flag(query, "previous")


def _number(query: MultiMapping[str], name: str) -> int | None:
    text = query.get(name)
    if text is None or text == "":
        return None
    if not text.isdigit():
        raise ValueError(f"{name}: {text!r} is not a number of at least 0")
    return int(text)


def _flag(query: MultiMapping[str], name: str) -> bool:
    return query.get(name, "").lower() in ("true", "1", "t")


class LogHandler:
    def __init__(self, agent: PodAgent) -> None:
        self._agent = agent

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        namespace, pod, container = (request.match_info[name] for name in ("namespace", "pod", "container"))
        try:
            options, previous = log_options(request.query, time.time())
        except ValueError as error:
            return web.Response(status=400, text=str(error))
        worker = self._agent.find(namespace, pod)
        if worker is None:
            return web.Response(status=404, text=f'pod "{pod}" does not exist\n')
        record = choose(worker, container, previous=previous)
        if isinstance(record, str):
            return web.Response(status=400, text=record)
        response = web.StreamResponse(headers={"Content-Type": "text/plain"})
        await response.prepare(request)
        async for piece in read_log(Path(record.log_path), options, lambda: _alive(worker, record)):
            await response.write(piece)
        await response.write_eof()
        return response


def choose(worker: PodWorker, name: str, *, previous: bool) -> ContainerRecord | str:
    """The attempt whose log is meant, or why there is none."""
    pod = worker.pod.metadata.name
    if find_container(worker.pod, name) is None:
        return f'container "{name}" in pod "{pod}" is not available'
    attempts = [record for record in worker.record.containers if record.name == name]
    if previous:
        ended = [record for record in attempts[1:] if record.phase == "exited"]
        if not ended and attempts and attempts[0].phase == "exited" and worker.waits(name):
            ended = attempts[:1]
        return ended[0] if ended else f'previous terminated container "{name}" in pod "{pod}" not found'
    for record in attempts:
        if record.phase in ("running", "exited") and record.log_path:
            return record
    reason = worker.waits(name) or "ContainerCreating"
    return f'container "{name}" in pod "{pod}" is waiting to start: {reason}'


def _alive(worker: PodWorker, record: ContainerRecord) -> bool:
    return any(found.id == record.id and found.phase == "running" for found in worker.record.containers)
