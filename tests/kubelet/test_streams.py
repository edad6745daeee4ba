"""Logs, exec, attach and port-forward through the agent's own server, as the API server uses it."""

import asyncio
import json
from urllib.parse import urlencode

import aiohttp
import pytest

from weft.kubelet.streaming import spdy

from .harness import Harness, container, pod

pytestmark = pytest.mark.root


def exec_path(name: str, *command: str, **streams: str) -> str:
    return f"/exec/default/{name}/main?{urlencode([('command', word) for word in command] + list(streams.items()))}"


async def channels(socket: aiohttp.ClientWebSocketResponse) -> dict[int, bytes]:
    found: dict[int, bytes] = {}
    async for message in socket:
        found[message.data[0]] = found.get(message.data[0], b"") + message.data[1:]
    return found


async def test_exec_by_websocket_with_input_and_its_end(harness: Harness) -> None:
    await harness.run(pod("web"))
    path = exec_path("web", "sh", "-c", "cat; echo err >&2; exit 7", input="1", output="1", error="1")
    async with aiohttp.ClientSession() as session:
        async with session.ws_connect(harness.url + path, protocols=("v5.channel.k8s.io",)) as socket:
            assert socket.protocol == "v5.channel.k8s.io"
            for part in (b"one\n", b"two\n"):
                await socket.send_bytes(b"\x00" + part)
            await socket.send_bytes(b"\xff\x00")
            found = await asyncio.wait_for(channels(socket), 10)
    assert found[1] == b"one\ntwo\n" and found[2] == b"err\n"
    status = json.loads(found[3])
    assert status["status"] == "Failure" and status["reason"] == "NonZeroExitCode"
    assert status["details"]["causes"] == [{"reason": "ExitCode", "message": "7"}]


async def test_exec_of_much_output_with_a_terminal(harness: Harness) -> None:
    await harness.run(pod("tty"))
    path = exec_path(
        "tty", "sh", "-c", "until stty size 2>&1 | grep 101; do :; done; seq 1 20000", output="1", tty="1", input="1"
    )
    async with aiohttp.ClientSession() as session:
        async with session.ws_connect(harness.url + path, protocols=("v4.channel.k8s.io",)) as socket:
            await socket.send_bytes(b'\x04{"Width":101,"Height":33}')
            found = await asyncio.wait_for(channels(socket), 10)
    lines = found[1].split()
    assert lines[:2] == [b"33", b"101"] and lines[-1] == b"20000" and len(lines) == 20002
    assert json.loads(found[3])["status"] == "Success"


async def spdy_upgrade(harness: Harness, path: str, protocol: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection("127.0.0.1", harness.kubelet.server.port)
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n"
    writer.write(f"{head}X-Stream-Protocol-Version: {protocol}\r\nContent-Length: 0\r\n\r\n".encode())
    answer = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
    assert b" 101 " in answer.split(b"\r\n")[0], answer
    assert f"X-Stream-Protocol-Version: {protocol}".lower().encode() in answer.lower()
    return reader, writer


async def events_of(session: spdy.Connection, reader: asyncio.StreamReader) -> list[spdy.Event]:
    found: list[spdy.Event] = []
    while data := await reader.read(65536):
        found += session.receive(data)
    return found


async def test_exec_by_spdy_is_spliced(harness: Harness) -> None:
    await harness.run(pod("spdy"))
    path = exec_path("spdy", "sh", "-c", "cat", input="1", output="1", error="1")
    reader, writer = await spdy_upgrade(harness, path, "v4.channel.k8s.io")
    session = spdy.Connection()
    streams = {}
    for name in ("error", "stdin", "stdout", "stderr"):
        streams[name], frame = session.open({"streamtype": name})
        writer.write(frame)
    writer.write(spdy.data_frames(streams["stdin"], b"x" * 100_000, fin=True))
    found = await asyncio.wait_for(events_of(session, reader), 10)
    out = b"".join(e.data for e in found if isinstance(e, spdy.Data) and e.stream == streams["stdout"])
    error = b"".join(e.data for e in found if isinstance(e, spdy.Data) and e.stream == streams["error"])
    assert out == b"x" * 100_000 and json.loads(error)["status"] == "Success"
    writer.close()


@pytest.mark.parametrize("tunnel", [True, False])
async def test_port_forward(harness: Harness, tunnel: bool) -> None:
    await harness.run(pod("serves", container("main", "sh", "-c", "while :; do echo hello | nc -l -p 8080; done")))
    session = spdy.Connection()
    request = {"port": "8080", "requestid": "0"}
    _, error = session.open({**request, "streamtype": "error"}, fin=True)
    data_stream, data = session.open({**request, "streamtype": "data"})
    if tunnel:
        got = await forward_by_websocket(harness, session, error + data, data_stream)
    else:
        reader, writer = await spdy_upgrade(harness, "/portForward/default/serves", "portforward.k8s.io")
        writer.write(error + data)
        got = b""
        while not got.endswith(b"hello\n"):
            for event in session.receive(await asyncio.wait_for(reader.read(65536), 5)):
                if isinstance(event, spdy.Data) and event.stream == data_stream:
                    got += event.data
        writer.close()
    assert got == b"hello\n"


async def forward_by_websocket(harness: Harness, session: spdy.Connection, opening: bytes, stream: int) -> bytes:
    got = b""
    url = f"{harness.url}/portForward/default/serves"
    async with aiohttp.ClientSession() as client:
        async with client.ws_connect(url, protocols=("SPDY/3.1+portforward.k8s.io",)) as socket:
            await socket.send_bytes(opening)
            while not got.endswith(b"hello\n"):
                message = await socket.receive(5)
                for event in session.receive(message.data):
                    if isinstance(event, spdy.Data) and event.stream == stream:
                        got += event.data
    return got


async def test_attach(harness: Harness) -> None:
    await harness.run(pod("att", container("main", "sh", "-c", "while read x; do echo got $x; done", stdin=True)))
    url = f"{harness.url}/attach/default/att/main?input=1&output=1&error=1"
    async with aiohttp.ClientSession() as session:
        async with session.ws_connect(url, protocols=("v5.channel.k8s.io",)) as socket:
            await socket.send_bytes(b"\x00abc\n")
            message = await socket.receive(5)
            assert message.data == b"\x01got abc\n"


async def test_logs(harness: Harness) -> None:
    script = "for i in 1 2 3; do echo line $i; done; echo bad >&2; sleep 0.3; echo late; sleep 0.2; exit 1"
    await harness.run(pod("talks", container("main", "sh", "-c", script)))
    async with aiohttp.ClientSession() as session:

        async def read(query: str = "") -> tuple[int, str]:
            async with session.get(f"{harness.url}/containerLogs/default/talks/main{query}") as reply:
                return reply.status, await reply.text()

        _, followed = await read("?follow=true")
        assert sorted(followed.split("\n")[:4]) == ["bad", "line 1", "line 2", "line 3"] and followed.endswith("late\n")
        await harness.wait("talks", lambda o: o["status"]["containerStatuses"][0]["restartCount"] == 1)
        _, before = await read("?previous=true&tailLines=1")
        assert before == "late\n"
        _, stamped = await read("?previous=true&timestamps=true&limitBytes=10")
        assert len(stamped) == 10 and stamped.startswith("20")
        assert (await read("?tailLines=x"))[0] == 400
        async with session.get(f"{harness.url}/containerLogs/default/talks/other") as reply:
            assert reply.status == 400 and await reply.text() == 'container "other" in pod "talks" is not available'


async def test_what_runs_here(harness: Harness) -> None:
    await harness.run(pod("web"))
    async with aiohttp.ClientSession() as session:
        async with session.get(f"{harness.url}/pods") as reply:
            listed = await reply.json()
        assert [item["metadata"]["name"] for item in listed["items"]] == ["web"]
        async with session.get(f"{harness.url}/metrics") as reply:
            assert 'kubelet_running_containers{container_state="running"} 1' in await reply.text()
        async with session.get(f"{harness.url}/stats/summary") as reply:
            assert (await reply.json())["pods"][0]["containers"][0]["name"] == "main"
