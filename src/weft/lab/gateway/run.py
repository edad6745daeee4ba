"""The lab's gateway: listens in the underlay's namespace, and goes out from the host's.

It serves the image mirror (5000), an HTTP CONNECT proxy (3128) and a DNS relay (53) to the nodes.
"""

import argparse
import asyncio
import socket
from pathlib import Path

from aiohttp import web

from weft.kernel.real import netns
from weft.lab.gateway.names import NameRelay
from weft.lab.gateway.registry import Registry
from weft.lab.gateway.tunnel import serve_tunnel

REGISTRY_PORT, TUNNEL_PORT, NAMES_PORT = 5000, 3128, 53


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--netns", type=Path, required=True, help="namespace to listen in (/run/netns/…)")
    parser.add_argument("--address", required=True, help="address to listen at")
    parser.add_argument("--images", type=Path, required=True, help="directory of the image store")
    parser.add_argument("--resolv-conf", type=Path, default=Path("/etc/resolv.conf"), help="whose resolvers to ask")


async def run(args: argparse.Namespace) -> int:
    registry, tunnel, names, names_stream = netns.run_in(str(args.netns), _listen, args.address)
    app = web.Application()
    app.add_routes(Registry(args.images).routes())
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    relay = NameRelay(args.resolv_conf)
    loop = asyncio.get_running_loop()
    try:
        await web.SockSite(runner, registry).start()
        await asyncio.start_server(serve_tunnel, sock=tunnel)
        await asyncio.start_server(relay.serve_stream, sock=names_stream)
        await loop.create_datagram_endpoint(lambda: relay, sock=names)
        await asyncio.Event().wait()
    finally:
        await runner.cleanup()
    return 0


def _listen(address: str) -> tuple[socket.socket, socket.socket, socket.socket, socket.socket]:
    return (
        _bound(address, REGISTRY_PORT, socket.SOCK_STREAM),
        _bound(address, TUNNEL_PORT, socket.SOCK_STREAM),
        _bound(address, NAMES_PORT, socket.SOCK_DGRAM),
        _bound(address, NAMES_PORT, socket.SOCK_STREAM),
    )


def _bound(address: str, port: int, kind: socket.SocketKind) -> socket.socket:
    made = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, kind)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.setblocking(False)
    made.bind((address, port))
    if kind == socket.SOCK_STREAM:
        made.listen(128)
    return made
