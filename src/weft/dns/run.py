"""Cluster DNS: serves what the Corefile says, as CoreDNS does. Examples:
weft dns -conf /etc/coredns/Corefile
weft dns -conf Corefile -dns.port 1053 --kubeconfig ~/.kube/config
"""

import argparse
import asyncio
import ctypes
import gc
import logging
import signal
import socket
import sys
from collections.abc import Callable

from weft.cluster.port import Cluster
from weft.dns.loader import Loader
from weft.dns.server.server import Server
from weft.process import ShowVersion

_log = logging.getLogger(__name__)
_PR_SET_PDEATHSIG = 1


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-conf", "--conf", default="Corefile", metavar="FILE", help="the Corefile (./Corefile)")
    parser.add_argument(
        "-dns.port", "--dns.port", "-p", dest="dns_port", type=int, default=53, metavar="PORT",
        help="for server blocks that name no port (53)",
    )  # fmt: skip
    parser.add_argument(
        "--kubeconfig", default="", metavar="FILE", help="of the cluster; else the pod's ServiceAccount"
    )
    parser.add_argument("-quiet", "--quiet", action="store_true", help="do not say what is served")
    parser.add_argument("-version", action=ShowVersion, nargs=0, help="print the version and exit")
    parser.add_argument(
        "--workers", type=int, default=1, metavar="N", help="processes that share the ports, one for each core (1)"
    )
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)


async def run(args: argparse.Namespace) -> int:
    """Serves until cancelled, then answers on for the lameduck time. Status 1 where a forwarding loop was found."""
    if not 0 < args.dns_port < 65536:
        raise ValueError(f"-dns.port: {args.dns_port} is not a port (give one from 1 to 65535)")
    if not 0 < args.workers <= 256:
        raise ValueError(f"--workers: {args.workers} is not possible (give a number from 1 to 256)")
    if args.worker:
        # So that nothing is left behind where the first process is killed.
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    server = Server(
        lambda kubeconfig, context: connector(kubeconfig or args.kubeconfig, context),
        local_addresses=local_addresses(),
        shared_ports=args.workers > 1 or args.worker,
        http=not args.worker,
    )
    workers: list[asyncio.subprocess.Process] = []
    try:
        loader = Loader(args.conf, args.dns_port)
        await server.apply(loader.load())
        # What the first lists brought stays: let no collection walk over it again (10,000 Services: a pause of 5 ms).
        gc.collect()
        gc.freeze()
        for _ in range(args.workers - 1):
            workers.append(await _worker(args))
        watching = [asyncio.ensure_future(_watch_worker(worker, server)) for worker in workers]
        if not (args.quiet or args.worker):
            for site in server.instance.sites:
                _log.info("serving %s", site.block.text)
        reloading = asyncio.ensure_future(_reload(server, loader))
        try:
            _log.critical("stopped: %s", await asyncio.shield(server.failed))
            return 1
        finally:
            for task in (reloading, *watching):
                task.cancel()
    except asyncio.CancelledError:
        await server.drain(server.instance.lameduck)
        raise
    finally:
        for worker in workers:
            if worker.returncode is None:
                worker.terminate()
        await server.close()
        for worker in workers:
            await worker.wait()


async def _worker(args: argparse.Namespace) -> asyncio.subprocess.Process:
    command = [sys.executable, "-m", "weft.dns", "-conf", args.conf, "-dns.port", str(args.dns_port), "--worker"]
    if args.kubeconfig:
        command += ["--kubeconfig", args.kubeconfig]
    return await asyncio.create_subprocess_exec(*command)


async def _watch_worker(worker: asyncio.subprocess.Process, server: Server) -> None:
    server.fail(f"worker {worker.pid} ended with status {await worker.wait()}")


async def _reload(server: Server, loader: Loader) -> None:
    """Looks at the Corefile as often as its reload plugin says; what cannot be served is logged once and left alone."""
    failed = server.metrics.counter("coredns_reload_failed_total", "Failed reload attempts.")
    version = server.metrics.gauge("coredns_reload_version_info", "The hash of the Corefile.", ("hash", "value"))
    version.set("sha512", loader.digest, to=1)
    while every := server.instance.reload_every:
        await asyncio.sleep(every)
        before = loader.digest
        try:
            blocks = loader.load()
            if loader.digest == before:
                continue
            await server.apply(blocks)
        except ValueError as error:
            if loader.digest != before:
                failed.add()
                _log.error("reload failed, the Corefile of before goes on: %s", error)
            continue
        version.values.clear()
        version.set("sha512", loader.digest, to=1)
        _log.info("reloaded %s", server.instance.sites[0].block.file)


def connector(kubeconfig: str, context: str = "") -> Callable[[], Cluster]:
    """Reads the kubeconfig now (raises ValueError) and connects when called."""
    # HTTP and TLS cost 20 MB and 0.3 s: only for those who watch a cluster.
    from weft.cluster.real import HttpCluster, load

    config = load(kubeconfig or None, context)
    return lambda: HttpCluster(config, "weft-dns")


def local_addresses() -> tuple[str, ...]:
    """The addresses that this machine speaks from, of each family; nothing is sent to find out."""
    found = []
    for family, target in ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1")):
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            try:
                probe.connect((target, 53))
                found.append(probe.getsockname()[0])
            except OSError:
                continue
    return tuple(found)
