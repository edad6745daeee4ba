"""WebSocket clients of exec, attach and port-forward, joined to the runtime's SPDY streams.

client ──channel bytes──► stdin, resize          KEP-4006 (v5.channel.k8s.io), remotecommand v4
client ◄──channel bytes── stdout, stderr, error
"""

import asyncio
import contextlib
import logging
from collections.abc import Mapping

from aiohttp import WSMsgType, web

from weft.kubelet.streaming import spdy
from weft.kubelet.streaming.upstream import Upstream

STDIN, STDOUT, STDERR, ERROR, RESIZE = range(5)
CLOSE = 255
"""v5 only: the next byte names the channel whose end this is."""
CHANNELS = {"stdin": STDIN, "stdout": STDOUT, "stderr": STDERR, "error": ERROR, "resize": RESIZE}
_CHUNK = 1 << 15
_log = logging.getLogger(__name__)


async def bridge_channels(socket: web.WebSocketResponse, upstream: Upstream, wanted: Mapping[str, bool]) -> None:
    """Runs until the command has ended or the client has gone. `wanted`: stdin, stdout, stderr, tty."""
    session = spdy.Connection()
    streams = _streams(wanted)
    numbers: dict[int, int] = {}
    for name in streams:
        stream, frame = session.open({"streamtype": name})
        numbers[CHANNELS[name]] = stream
        upstream.writer.write(frame)
    await upstream.writer.drain()
    down = asyncio.create_task(_down(session, socket, upstream, numbers))
    up = asyncio.create_task(_up(socket, upstream, numbers))
    done, pending = await asyncio.wait({down, up}, return_when=asyncio.FIRST_COMPLETED)
    if up in done and down in pending and not socket.closed:
        done, pending = await asyncio.wait({down}, timeout=None)
    for task in (down, up):
        task.cancel()
    await asyncio.gather(down, up, return_exceptions=True)
    with contextlib.suppress(OSError):
        upstream.writer.write(spdy.goaway())
        upstream.writer.close()
    await socket.close()


def _streams(wanted: Mapping[str, bool]) -> list[str]:
    """The error stream first, as the runtimes expect; a terminal has no standard error, but a size."""
    names = ["error"]
    names += [name for name in ("stdin", "stdout") if wanted.get(name)]
    if wanted.get("tty"):
        return [*names, "resize"]
    return [*names, "stderr"] if wanted.get("stderr") else names


async def _up(socket: web.WebSocketResponse, upstream: Upstream, numbers: Mapping[int, int]) -> None:
    async for message in socket:
        data = message.data.encode() if message.type is WSMsgType.TEXT else message.data
        if message.type not in (WSMsgType.BINARY, WSMsgType.TEXT) or not data:
            continue
        channel = data[0]
        if channel == CLOSE and len(data) > 1:
            if (stream := numbers.get(data[1])) is not None:
                upstream.writer.write(spdy.data_frames(stream, b"", fin=True))
        elif (stream := numbers.get(channel)) is not None and channel in (STDIN, RESIZE) and len(data) > 1:
            upstream.writer.write(spdy.data_frames(stream, data[1:]))
        await upstream.writer.drain()


async def _down(
    session: spdy.Connection, socket: web.WebSocketResponse, upstream: Upstream, numbers: Mapping[int, int]
) -> None:
    channels = {stream: channel for channel, stream in numbers.items()}
    open_streams = {numbers[channel] for channel in (ERROR, STDOUT, STDERR) if channel in numbers}
    while open_streams:
        received = await upstream.reader.read(_CHUNK)
        if not received:
            return
        for event in session.receive(received):
            if isinstance(event, spdy.Pinged):
                upstream.writer.write(spdy.ping(event.id))
            elif isinstance(event, spdy.Data):
                channel = channels.get(event.stream)
                if event.data and channel is not None:
                    await socket.send_bytes(bytes([channel]) + event.data)
                if event.fin:
                    open_streams.discard(event.stream)
            elif isinstance(event, spdy.Reset):
                open_streams.discard(event.stream)
            elif isinstance(event, spdy.GoAway):
                return


async def bridge_raw(socket: web.WebSocketResponse, upstream: Upstream) -> None:
    """Port-forward: the binary messages' bytes are a SPDY session of their own, passed on as they are."""

    async def down() -> None:
        while data := await upstream.reader.read(_CHUNK):
            await socket.send_bytes(data)

    async def up() -> None:
        async for message in socket:
            if message.type is WSMsgType.BINARY:
                upstream.writer.write(message.data)
                await upstream.writer.drain()

    tasks = [asyncio.create_task(down()), asyncio.create_task(up())]
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    upstream.writer.close()
    await socket.close()
