"""cnitool, the CNI project's own runtime, drives our plugin: its library picks the version and caches the result."""

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from ipaddress import ip_interface, ip_network
from pathlib import Path

import pytest
from tests.peers import peer
from tests.spaces import MakeSpace, ping

from weft.cni.dispatch import Plugin
from weft.cni.plugins.loopback import LoopbackPlugin
from weft.cni.plugins.weft import Attachment, Settings, WeftPlugin
from weft.cni.serve import CniServer
from weft.cni.shim.install import install
from weft.ipam.journal import Journal
from weft.kernel.real.netlink import NetlinkNetwork
from weft.kernel.state.address import LinkAddress
from weft.kernel.state.change import Add, Replace
from weft.kernel.state.link import Bridge, Link
from weft.overlay.conflist import render

pytestmark = [pytest.mark.root, pytest.mark.peer]


@pytest.fixture
def node(make_space: MakeSpace, tmp_path: Path) -> Iterator[str]:
    space = make_space("node")
    with ExitStack() as stack:
        network = stack.enter_context(NetlinkNetwork(space))
        gateway = LinkAddress("wcni0", ip_interface("10.244.1.1/24"))
        assert not network.apply([Replace(Link("lo")), Add(Link("wcni0", Bridge())), Add(gateway)])
        plugin = WeftPlugin(Journal(tmp_path / "attachments", Attachment), lambda netns: NetlinkNetwork(netns or space))
        plugin.start()
        stack.callback(plugin.close)
        plugin.configure(Settings("wcni0", (ip_network("10.244.1.0/24"),)))
        plugins: dict[str, Plugin] = {"weft": plugin, "loopback": LoopbackPlugin(NetlinkNetwork)}
        server = CniServer(tmp_path / "cni.sock", plugins)
        server.start()
        stack.callback(server.close)
        install(tmp_path / "bin", plugins, tmp_path / "cni.sock")
        (tmp_path / "net.d").mkdir()
        (tmp_path / "net.d" / "10-weft.conflist").write_bytes(render())
        yield space


def cnitool(directory: Path, verb: str, pod: str) -> subprocess.CompletedProcess[str]:
    env = os.environ | {"CNI_PATH": str(directory / "bin"), "NETCONFPATH": str(directory / "net.d")}
    command = [peer("cnitool"), verb, "weft", f"/run/netns/{pod}"]
    return subprocess.run(command, env=env, capture_output=True, text=True, timeout=20, check=False)


def test_add_check_status_and_del(node: str, make_space: MakeSpace, tmp_path: Path) -> None:
    pod = make_space("pod")
    status = cnitool(tmp_path, "status", pod)
    assert status.returncode == 0, status.stderr
    added = cnitool(tmp_path, "add", pod)
    assert added.returncode == 0, added.stderr
    result = json.loads(added.stdout)
    assert (result["cniVersion"], result["ips"][0]["address"]) == ("1.1.0", "10.244.1.2/24")
    assert ping(node, "10.244.1.2") == "10.244.1.2"
    checked = cnitool(tmp_path, "check", pod)
    assert checked.returncode == 0, checked.stderr
    with NetlinkNetwork(pod) as inside:
        inside.apply([Replace(Link("eth0", up=False))])
    broken = cnitool(tmp_path, "check", pod)
    assert broken.returncode != 0
    assert "link eth0 in the container is down" in broken.stderr
    deleted = cnitool(tmp_path, "del", pod)
    assert deleted.returncode == 0, deleted.stderr


def test_a_network_that_is_not_ready(node: str, make_space: MakeSpace, tmp_path: Path) -> None:
    with NetlinkNetwork(node) as network:
        network.apply([Replace(Link("wcni0", Bridge(), up=False))])
    status = cnitool(tmp_path, "status", make_space("pod"))
    assert status.returncode != 0
    assert "bridge wcni0 is down" in status.stderr
