"""Against the real kube-apiserver, as system:kube-proxy, with real packets."""

import asyncio
import contextlib
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.peers import kube_apiserver
from tests.proxy.suite.world import POD_RANGES, World, pod_address, unique

from weft.cluster.objects.resource import ENDPOINT_SLICES, NODES, SERVICES
from weft.cluster.real import HttpCluster, load
from weft.kernel.real.conntrack import RealConntrack
from weft.kernel.real.nft import RealNft
from weft.proxy.config import Config
from weft.proxy.nftables.mode import NftablesMode, layouts
from weft.proxy.run import Proxy

pytestmark = [pytest.mark.peer, pytest.mark.root]


@pytest.fixture(scope="module")
def admin() -> Iterator[Path]:
    with kube_apiserver(users=("system:kube-proxy",)) as kubeconfig:
        yield kubeconfig


@pytest.fixture
async def world() -> AsyncIterator[World]:
    made = World(unique("peer"))
    try:
        made.build()
        yield made
    finally:
        await made.reset()
        made.destroy()


def a_service(name: str = "web") -> dict[str, Any]:
    ports = [
        {"name": "http", "port": 80, "targetPort": "http"},
        {"name": "dns", "port": 53, "protocol": "UDP", "targetPort": 8080},
    ]
    return {"metadata": {"name": name, "namespace": "default"}, "spec": {"ports": ports, "type": "NodePort"}}


def a_slice(*pods: str, service: str = "web") -> dict[str, Any]:
    return {
        "metadata": {
            "name": f"{service}-1",
            "namespace": "default",
            "labels": {"kubernetes.io/service-name": service},
        },
        "addressType": "IPv4",
        "ports": [{"name": "http", "port": 8080}, {"name": "dns", "port": 8080, "protocol": "UDP"}],
        "endpoints": [{"addresses": [pod_address(pod)], "conditions": {"ready": True}} for pod in pods],
    }


@contextlib.asynccontextmanager
async def proxy(world: World, kubeconfig: Path) -> AsyncIterator[Proxy]:
    """As system:kube-proxy on node1; the API server is on loopback, so only the kernel's doors are in the node."""
    mode = NftablesMode(RealNft(world.ns("node1")), layouts(POD_RANGES, masquerade_all=False))
    conntrack = RealConntrack(world.ns("node1"))
    config = Config("", "node1", healthz=None, metrics=None)
    async with HttpCluster(load(kubeconfig), "weft-proxy") as cluster:
        task = asyncio.create_task(Proxy(config, cluster, mode, conntrack).run())
        try:
            yield  # type: ignore[misc]
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
            mode.close()
            conntrack.close()


async def answered(world: World, address: str, *names: str) -> None:
    """Until exactly these servers answer."""
    async with asyncio.timeout(10):
        while True:
            with contextlib.suppress(OSError, TimeoutError):
                if set(await world.answers("c", address, calls=20)) == set(names):
                    return
            await asyncio.sleep(0.02)


async def test_services_of_a_real_server(admin: Path, world: World) -> None:
    for pod in ("a", "b", "d"):
        await world.serve(pod)
        await world.serve_udp(pod)
    async with HttpCluster(load(admin)) as cluster:
        await cluster.create(NODES, {"metadata": {"name": "node1"}})
        address = {"type": "InternalIP", "address": "172.30.9.11"}
        await cluster.patch(NODES, "node1", {"status": {"addresses": [address]}}, subresource="status")
        made = await cluster.create(SERVICES, a_service(), "default")
        vip = made["spec"]["clusterIP"]
        await cluster.create(ENDPOINT_SLICES, a_slice("a", "d"), "default")
        async with proxy(world, admin.with_name("system-kube-proxy")):
            await answered(world, vip, "a", "d")
            assert (await world.ask_udp("c", vip, 53))[0] in "ad"
            assert (await world.ask("outside", "172.30.9.11", made["spec"]["ports"][0]["nodePort"]))[0] in "ad"
            await cluster.update(ENDPOINT_SLICES, a_slice("b"))
            await answered(world, vip, "b")
            headless = {**a_service("headless"), "spec": {"clusterIP": "None", "ports": [{"port": 1}]}}
            await cluster.create(SERVICES, headless, "default")
            await cluster.delete(SERVICES, "web", "default")
            with pytest.raises((TimeoutError, OSError)):
                async with asyncio.timeout(5):
                    while True:
                        await world.ask("c", vip)
                        await asyncio.sleep(0.02)


async def test_dry_run_from_the_command_line(admin: Path) -> None:
    async with HttpCluster(load(admin)) as cluster:
        with contextlib.suppress(Exception):
            await cluster.create(NODES, {"metadata": {"name": "node1"}})
        await cluster.create(SERVICES, a_service("dry"), "default")
        await cluster.create(ENDPOINT_SLICES, a_slice("a", service="dry"), "default")
    flags = ["--kubeconfig", str(admin), "--hostname-override", "node1", "--dry-run"]
    command = [sys.executable, "-m", "weft.proxy", *flags]
    done = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    out, errors = await asyncio.wait_for(done.communicate(), 30)
    assert done.returncode == 0, errors
    assert "default/dry:http" in out.decode()
    assert "→ 1 endpoint (10.244.1.5:8080)" in out.decode()
    assert "add element ip weft-proxy services {" in out.decode()
