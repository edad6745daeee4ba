"""An HTTP CONNECT proxy (RFC 9110, 9.3.6): nodes reach real registries through the host's own connection.

So the host needs no forwarding, no masquerade and no rule of ours.
"""

import asyncio

_HEAD_LIMIT = 16 << 10


async def serve_tunnel(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """One client: the request's head, then bytes both ways until one side ends."""
    try:
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
        target = connect_target(head)
        if target is None:
            writer.write(b"HTTP/1.1 405 Method Not Allowed\r\nAllow: CONNECT\r\nContent-Length: 0\r\n\r\n")
            await writer.drain()
            return
        try:
            upstream, sink = await asyncio.wait_for(asyncio.open_connection(*target), 10)
        except (OSError, TimeoutError) as error:
            reason = getattr(error, "strerror", None) or "timed out"
            writer.write(f"HTTP/1.1 502 cannot reach {target[0]}: {reason}\r\nContent-Length: 0\r\n\r\n".encode())
            await writer.drain()
            return
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        try:
            await asyncio.gather(_copy(reader, sink), _copy(upstream, writer))
        finally:
            sink.close()
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, TimeoutError, ConnectionError):
        pass
    finally:
        writer.close()


def connect_target(head: bytes) -> tuple[str, int] | None:
    """Host and port of a CONNECT request; None for anything else. Pure."""
    if len(head) > _HEAD_LIMIT:
        return None
    method, _, rest = head.partition(b"\r\n")[0].partition(b" ")
    authority = rest.partition(b" ")[0].decode("ascii", "replace")
    host, colon, port = authority.rpartition(":")
    if method != b"CONNECT" or not colon or not port.isdigit() or not 0 < int(port) < 65536:
        return None
    return host.strip("[]"), int(port)


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(1 << 16):
        writer.write(data)
        await writer.drain()
    if writer.can_write_eof():
        writer.write_eof()
