"""containerd drives our plugin, through the shim and the agent's socket, for a pod's sandbox."""

import time
from collections.abc import Iterator
from contextlib import ExitStack
from ipaddress import ip_interface, ip_network
from pathlib import Path

import grpc
import pytest
from cri_api.v1 import api_pb2, api_pb2_grpc
from tests.kubelet import runtime
from tests.spaces import ping

from weft.cni.dispatch import Plugin
from weft.cni.plugins.loopback import LoopbackPlugin
from weft.cni.plugins.weft import Attachment, Settings, WeftPlugin
from weft.cni.serve import CniServer
from weft.cni.shim.install import install
from weft.ipam.journal import Journal
from weft.kernel.real.netlink import NetlinkNetwork
from weft.kernel.state.address import LinkAddress
from weft.kernel.state.change import Add
from weft.kernel.state.link import Bridge, Link
from weft.overlay.conflist import render

pytestmark = [pytest.mark.root, pytest.mark.e2e]


@pytest.fixture
def node(monkeypatch: pytest.MonkeyPatch) -> Iterator[runtime.Node]:
    monkeypatch.setattr(runtime, "_CONFIG", runtime._CONFIG.replace('"/usr/lib/cni"', '"{dir}/bin"'))
    monkeypatch.setattr(runtime, "_CNI", render().decode().replace("{", "{{").replace("}", "}}"))
    with runtime.node() as made:
        yield made


@pytest.fixture
def plugin(node: runtime.Node) -> Iterator[WeftPlugin]:
    ranges = (ip_network("10.244.7.0/24"), ip_network("fd00:10:244:7::/64"))
    with ExitStack() as stack:
        network = stack.enter_context(NetlinkNetwork(node.namespace))
        addresses = [ip_interface("10.244.7.1/24"), ip_interface("fd00:10:244:7::1/64")]
        assert not network.apply(
            [Add(Link("wcni0", Bridge())), *(Add(LinkAddress("wcni0", address)) for address in addresses)]
        )
        journal = Journal(node.dir / "attachments", Attachment)
        made = WeftPlugin(journal, lambda netns: NetlinkNetwork(netns or node.namespace))
        made.start()
        stack.callback(made.close)
        made.configure(Settings("wcni0", ranges))
        plugins: dict[str, Plugin] = {"weft": made, "loopback": LoopbackPlugin(NetlinkNetwork)}
        server = CniServer(node.dir / "cni.sock", plugins)
        server.start()
        stack.callback(server.close)
        install(node.dir / "bin", plugins, node.dir / "cni.sock")
        yield made


def sandbox(node: runtime.Node, runtime_service: api_pb2_grpc.RuntimeServiceStub, name: str) -> str:
    config = api_pb2.PodSandboxConfig(
        metadata=api_pb2.PodSandboxMetadata(name=name, uid=name, namespace="default"),
        linux=api_pb2.LinuxPodSandboxConfig(cgroup_parent=node.cgroup_root),
    )
    return str(runtime_service.RunPodSandbox(api_pb2.RunPodSandboxRequest(config=config)).pod_sandbox_id)


def test_a_pod_gets_its_addresses_and_gives_them_back(node: runtime.Node, plugin: WeftPlugin) -> None:
    with grpc.insecure_channel(node.endpoint) as channel:
        service = api_pb2_grpc.RuntimeServiceStub(channel)
        began = time.perf_counter()
        pod = sandbox(node, service, "web")
        print(f"sandbox made in {(time.perf_counter() - began) * 1e3:.0f} ms")
        status = service.PodSandboxStatus(api_pb2.PodSandboxStatusRequest(pod_sandbox_id=pod)).status
        assert status.network.ip == "10.244.7.2"
        assert [extra.ip for extra in status.network.additional_ips] == ["fd00:10:244:7::2"]
        assert ping(node.namespace, "10.244.7.2") == "10.244.7.2"
        (attachment,) = plugin.attachments
        with NetlinkNetwork(node.namespace) as network:
            link = network.link(attachment.link)
            assert link is not None and link.alias == "10.244.7.2,fd00:10:244:7::2 default/web"
        with NetlinkNetwork(attachment.netns) as inside:
            lo = inside.link("lo")
            assert lo is not None and lo.up
        assert Path(attachment.netns).exists()
        service.StopPodSandbox(api_pb2.StopPodSandboxRequest(pod_sandbox_id=pod))
        service.RemovePodSandbox(api_pb2.RemovePodSandboxRequest(pod_sandbox_id=pod))
    deadline = time.monotonic() + 2
    while plugin.attachments and time.monotonic() < deadline:
        time.sleep(0.005)
    assert (plugin.attachments, plugin.addresses_in_use) == ((), (0, 0))
