"""The wiring, against a fake cluster and a fake kernel."""

import argparse
import asyncio
import contextlib
import logging
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest
from tests.proxy.builders import endpoint, endpoint_slice, service

from weft.cluster.fake import FakeCluster
from weft.cluster.objects.resource import ENDPOINT_SLICES, NODES, SERVICES
from weft.kernel.fake.conntrack import FakeConntrack
from weft.kernel.fake.nft import FakeNft
from weft.kernel.nft import NftError
from weft.kernel.state.nft import Table, Transaction
from weft.proxy.config import Config, add_arguments, from_arguments
from weft.proxy.nftables.mode import NftablesMode, layouts
from weft.proxy.run import Proxy

NODE = {
    "metadata": {"name": "node1"},
    "status": {"addresses": [{"type": "InternalIP", "address": "172.30.0.11"}]},
}
TABLE = Table("ip", "weft-proxy")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def plain(one: Any) -> dict[str, Any]:
    found: dict[str, Any] = msgspec.to_builtins(one)
    return found


class Running:
    def __init__(self) -> None:
        self.cluster = FakeCluster((NODES, NODE))
        self.nft = FakeNft()
        self.conntrack = FakeConntrack()
        self.config = Config("", "node1", healthz=("127.0.0.1", free_port()), metrics=("127.0.0.1", free_port()))

    @contextlib.asynccontextmanager
    async def proxy(self) -> AsyncIterator[Proxy]:
        made = Proxy(
            self.config, self.cluster, NftablesMode(self.nft, layouts([], masquerade_all=False)), self.conntrack
        )
        task = asyncio.create_task(made.run())
        try:
            yield made
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def until(self, *texts: str, absent: str = "") -> str:
        async with asyncio.timeout(5):
            while True:
                shown = self.nft.show(TABLE) if ("ip", "weft-proxy") in self.nft.tables else ""
                if shown and all(text in shown for text in texts) and not (absent and absent in shown):
                    return shown
                await asyncio.sleep(0.005)

    async def get(self, which: tuple[str, int] | None, path: str) -> tuple[int, Any]:
        assert which is not None
        async with aiohttp.ClientSession() as session:
            async with session.get(f"http://{which[0]}:{which[1]}{path}") as answer:
                return answer.status, await answer.text()


async def test_objects_reach_the_kernel_as_they_come(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    running = Running()
    running.cluster.put(SERVICES, plain(service()))
    async with running.proxy():
        await running.until("10.96.0.10 . tcp . 80 : goto reject-caller")
        running.cluster.put(ENDPOINT_SLICES, plain(endpoint_slice(endpoint("10.244.1.5"))))
        await running.until(
            "10.96.0.10 . 80 . 0 : 10.244.1.5 . 8080", absent="10.96.0.10 . tcp . 80 : goto reject-caller"
        )
        port = {"port": 80, "nodePort": 30080}
        running.cluster.put(SERVICES, plain(service("web", "10.96.0.10", port, type="NodePort")))
        await running.until("172.30.0.11 . 30080 . 0 : 10.244.1.5 . 8080")
        await running.cluster.delete(SERVICES, "web", "default")
        await running.until(absent="10.96.0.10")
    assert "default/web 10.96.0.10:80/TCP → 1 endpoint (10.244.1.5:8080)" in caplog.text
    assert "10.96.0.10:80/TCP is no Service any more" in caplog.text


async def test_stale_udp_flows_are_forgotten() -> None:
    running = Running()
    ports = [{"name": "", "port": 5353, "protocol": "UDP"}]
    running.cluster.put(SERVICES, plain(service("web", "10.96.0.10", {"port": 53, "protocol": "UDP"})))
    running.cluster.put(ENDPOINT_SLICES, plain(endpoint_slice(endpoint("10.244.1.5"), ports=ports)))
    async with running.proxy():
        await running.until("10.96.0.10 . 53 . 0 : 10.244.1.5 . 5353")
        running.cluster.put(ENDPOINT_SLICES, plain(endpoint_slice(endpoint("10.244.1.6"), ports=ports)))
        async with asyncio.timeout(5):
            while bytes((10, 244, 1, 5)) not in {one.end_address for one in running.conntrack.forgotten}:
                await asyncio.sleep(0.005)


async def test_what_the_kernel_refuses_is_tried_again() -> None:
    running = Running()
    running.cluster.put(SERVICES, plain(service()))
    async with running.proxy():
        await running.until("10.96.0.10")
        running.nft.fail = NftError("nftables: Cannot allocate memory")
        running.cluster.put(ENDPOINT_SLICES, plain(endpoint_slice(endpoint("10.244.1.5"))))
        await running.until("10.96.0.10 . 80 . 0 : 10.244.1.5 . 8080")


async def test_a_table_that_vanished_comes_back() -> None:
    running = Running()
    running.cluster.put(SERVICES, plain(service()))
    async with running.proxy() as proxy:
        await running.until("10.96.0.10")
        running.nft.apply(Transaction().delete(TABLE))
        proxy.loop.trigger()
        await running.until("10.96.0.10")


async def test_a_bad_object_does_not_stop_the_others() -> None:
    running = Running()
    running.cluster.put(SERVICES, plain(service("bad", "10.96.0.11", {"port": 99999})))
    running.cluster.put(SERVICES, plain(service("worse", "nonsense")))
    running.cluster.put(SERVICES, plain(service()))
    async with running.proxy():
        shown = await running.until("10.96.0.10 . tcp . 80")
        async with asyncio.timeout(5):
            while not (events := [one for call, what, _, one in running.cluster.calls if what == "events"]):
                await asyncio.sleep(0.01)
    assert {(one["involvedObject"]["name"], one["reason"]) for one in events} <= {
        ("bad", "FailedToProxy"),
        ("worse", "FailedToProxy"),
    }
    assert "10.96.0.11 . tcp" not in shown


async def test_health_and_metrics() -> None:
    running = Running()
    async with running.proxy():
        await running.until("chain")
        code, body = await running.get(running.config.healthz, "/healthz")
        report = msgspec.json.decode(body)
        assert code == 200
        assert report["nodeEligible"] is True
        assert set(report) == {"lastUpdated", "currentTime", "nodeEligible", "healthy", "status"}
        doomed = {**NODE, "spec": {"taints": [{"key": "ToBeDeletedByClusterAutoscaler", "effect": "NoSchedule"}]}}
        running.cluster.put(NODES, doomed)
        async with asyncio.timeout(5):
            while (await running.get(running.config.healthz, "/healthz"))[0] != 503:
                await asyncio.sleep(0.01)
        assert (await running.get(running.config.healthz, "/livez"))[0] == 200
        _, metrics = await running.get(running.config.metrics, "/metrics")
        assert 'kubeproxy_proxy_healthz_total{code="503"}' in metrics
        assert "kubeproxy_sync_proxy_rules_duration_seconds_count" in metrics


async def test_health_check_ports_of_services() -> None:
    running = Running()
    port = free_port()
    running.cluster.put(NODES, {**NODE, "status": {"addresses": [{"type": "InternalIP", "address": "127.0.0.1"}]}})
    local = {"type": "LoadBalancer", "externalTrafficPolicy": "Local"}
    running.cluster.put(SERVICES, plain(service(**local, healthCheckNodePort=port)))
    running.cluster.put(ENDPOINT_SLICES, plain(endpoint_slice(endpoint("10.244.2.5", "node2"))))

    async def answers(code: int) -> Any:
        async with asyncio.timeout(5):
            while True:
                with contextlib.suppress(aiohttp.ClientError):
                    found, body = await running.get(("127.0.0.1", port), "/healthz")
                    if found == code:
                        return msgspec.json.decode(body)
                await asyncio.sleep(0.01)

    async with running.proxy():
        assert (await answers(503))["localEndpoints"] == 0
        running.cluster.put(ENDPOINT_SLICES, plain(endpoint_slice(endpoint("10.244.1.5"))))
        assert await answers(200) == {
            "service": {"namespace": "default", "name": "web"},
            "localEndpoints": 1,
            "serviceProxyHealthy": True,
        }
        draining = endpoint("10.244.1.5", conditions={"ready": False, "serving": True, "terminating": True})
        running.cluster.put(ENDPOINT_SLICES, plain(endpoint_slice(draining)))
        await answers(503)
        running.cluster.put(SERVICES, plain(service(type="LoadBalancer")))
        async with asyncio.timeout(5):
            with pytest.raises(aiohttp.ClientConnectorError):
                while True:
                    await running.get(("127.0.0.1", port), "/healthz")
                    await asyncio.sleep(0.01)


async def test_a_health_check_port_in_use_is_told() -> None:
    running = Running()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        running.cluster.put(NODES, {**NODE, "status": {"addresses": [{"type": "InternalIP", "address": "127.0.0.1"}]}})
        local = {"type": "LoadBalancer", "externalTrafficPolicy": "Local"}
        running.cluster.put(SERVICES, plain(service(**local, healthCheckNodePort=port)))
        async with running.proxy(), asyncio.timeout(5):
            while not any(one.get("reason") == "FailedToStartServiceHealthcheck" for *_, one in running.cluster.calls):
                await asyncio.sleep(0.01)


def parse(*flags: str) -> Config:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return from_arguments(parser.parse_args(flags))


def test_flags_win_over_the_file(tmp_path: Path) -> None:
    file = tmp_path / "config.conf"
    file.write_text(
        "apiVersion: kubeproxy.config.k8s.io/v1alpha1\nkind: KubeProxyConfiguration\nmode: nftables\n"
        "clientConnection:\n  kubeconfig: /etc/proxy.conf\nclusterCIDR: 10.1.0.0/16\n"
        "healthzBindAddress: 127.0.0.1:1\nmetricsBindAddress: '[::1]:2'\nnodePortAddresses: [10.0.0.0/8]\n"
        "nftables:\n  syncPeriod: 1m30s\n  minSyncPeriod: 500ms\n  masqueradeAll: true\nhostnameOverride: ''\n"
        "conntrack:\n  maxPerCore: 32768\n"
    )
    config = parse("--config", str(file), "--cluster-cidr", "10.2.0.0/16", "--hostname-override", "Node1")
    assert (config.kubeconfig, config.node) == ("/etc/proxy.conf", "node1")
    assert [str(one) for one in config.cluster_cidrs] == ["10.2.0.0/16"]
    assert (config.healthz, config.metrics) == (("127.0.0.1", 1), ("::1", 2))
    assert (config.sync_period, config.min_sync_period, config.masquerade_all) == (90.0, 0.5, True)
    assert config.port_ranges is not None and len(config.port_ranges) == 1


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (["--cluster-cidr", "10.1.0.1/16"], "--cluster-cidr: '10.1.0.1/16' has host bits set"),
        (
            ["--cluster-cidr", "10.96.0.0/16", "--service-cluster-ip-range", "10.96.0.0/12"],
            "overlaps the Service range",
        ),
        (["--proxy-mode", "magic"], "--proxy-mode: 'magic' is no mode"),
        (["--sync-period", "soon"], "--sync-period: 'soon' is not a duration"),
        (["--healthz-bind-address", "nowhere:1"], "--healthz-bind-address: 'nowhere' is not an IP address"),
        (["--metrics-bind-address", "0.0.0.0:99999"], "--metrics-bind-address: 99999 is not a port"),
        (["--config", "/nonexistent/file"], "--config /nonexistent/file: No such file"),
    ],
)
def test_bad_flags_are_named(flags: list[str], told: str) -> None:
    with pytest.raises(ValueError) as raised:
        parse(*flags)
    assert told in str(raised.value)


def test_an_empty_address_switches_a_port_off() -> None:
    config = parse("--healthz-bind-address", "", "--metrics-bind-address", "0.0.0.0")
    assert (config.healthz, config.metrics) == (None, ("0.0.0.0", 10249))
