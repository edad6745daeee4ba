"""Connections to the runtime's own streaming server (the URL that Exec, Attach and PortForward answer with)."""

import asyncio
from dataclasses import dataclass
from urllib.parse import urlsplit

_PATIENCE = 10.0


@dataclass(slots=True)
class Upstream:
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    head: bytes
    """The reply's status line and headers, up to and with the empty line."""

    @property
    def upgraded(self) -> bool:
        return self.head.split(b" ", 2)[1:2] == [b"101"]


async def upgrade(url: str, protocols: list[str]) -> Upstream:
    """POST with an upgrade to SPDY/3.1, offering stream `protocols`. Raises OSError where the server cannot be used."""
    parts = urlsplit(url)
    async with asyncio.timeout(_PATIENCE):
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port or 80)
        path = parts.path + (f"?{parts.query}" if parts.query else "")
        lines = [f"POST {path} HTTP/1.1", f"Host: {parts.netloc}", "Connection: Upgrade", "Upgrade: SPDY/3.1"]
        lines += [f"X-Stream-Protocol-Version: {protocol}" for protocol in protocols]
        lines += ["Content-Length: 0", "", ""]
        writer.write("\r\n".join(lines).encode())
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
            writer.close()
            raise OSError(f"the runtime's streaming server broke off: {error}") from None
    return Upstream(reader, writer, head)
