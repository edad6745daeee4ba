"""The few HTTP endpoints: GET of a path, a short body, the connection kept (RFC 9112). Our own, for its size."""

import asyncio
import contextlib
import socket

from weft.dns.chain import HttpHandler
from weft.dns.server.bind import bind

_REASONS = {200: "OK", 400: "Bad Request", 404: "Not Found", 405: "Method Not Allowed", 503: "Service Unavailable"}
_LARGEST_HEAD = 16384
_IDLE = 75.0


class HttpServer:
    """`routes` may be replaced at any time."""

    def __init__(self, routes: dict[str, HttpHandler]) -> None:
        self.routes = routes
        self._servers: list[asyncio.Server] = []
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self, host: str, port: int) -> None:
        """Raises ValueError that names the address when it cannot be listened on."""
        try:
            sockets = bind(host, port, (socket.SOCK_STREAM,))
        except OSError as error:
            raise ValueError(
                f"{host}:{port}: {error.strerror} (is another server running? give another port)"
            ) from None
        for sock in sockets:
            self._servers.append(await asyncio.start_server(self._serve, sock=sock, limit=_LARGEST_HEAD))

    async def close(self) -> None:
        for server in self._servers:
            server.close()
        for task in list(self._tasks):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._tasks.add(task)
        try:
            while await self._one(reader, writer):
                pass
        except (OSError, EOFError, TimeoutError, asyncio.LimitOverrunError):
            pass
        finally:
            self._tasks.discard(task)
            writer.close()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """One exchange; False where the connection ends after it."""
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), _IDLE)
        lines = head.decode("latin-1").split("\r\n")
        words = lines[0].split(" ")
        fields = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
        if len(words) != 3 or "content-length" in fields or "transfer-encoding" in fields:
            status, kind, body = 400, "text/plain; charset=utf-8", b"400 Bad Request"
        elif words[0] not in ("GET", "HEAD"):
            status, kind, body = 405, "text/plain; charset=utf-8", b"405 Method Not Allowed"
        else:
            handler = self.routes.get(words[1].partition("?")[0])
            missing = (404, "text/plain; charset=utf-8", b"404 page not found")
            status, kind, body = handler() if handler else missing
        keep = status != 400 and words[2] == "HTTP/1.1" and fields.get("connection", "").lower() != "close"
        reply = (
            f"HTTP/1.1 {status} {_REASONS[status]}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n"
            f"Connection: {'keep-alive' if keep else 'close'}\r\n\r\n"
        )
        writer.write(reply.encode() + (b"" if words[0] == "HEAD" else body))
        await writer.drain()
        return keep
