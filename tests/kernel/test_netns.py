"""Namespaces: made, named, entered, deleted, each without a trace."""

import errno
import os
import threading

import pytest
from tests.spaces import MakeSpace

from weft.kernel.errors import KernelError
from weft.kernel.real import netns, probe

pytestmark = pytest.mark.root


def own() -> int:
    return os.stat("/proc/thread-self/ns/net").st_ino


def test_a_named_namespace_is_a_mount_that_ip_netns_sees(make_space: MakeSpace) -> None:
    name = make_space("named")
    assert name in netns.names()
    assert os.stat(netns.path_of(name)).st_ino == netns.run_in(name, own) != own()


def test_a_name_in_use_is_refused_and_left_alone(make_space: MakeSpace) -> None:
    name = make_space("twice")
    before = os.stat(netns.path_of(name)).st_ino
    with pytest.raises(KernelError, match=f"cannot create network namespace {name}: File exists") as caught:
        netns.create(name)
    assert caught.value.errno == errno.EEXIST
    assert os.stat(netns.path_of(name)).st_ino == before


def test_deleting_what_is_not_there_is_no_error() -> None:
    netns.delete("wt-never-made")
    assert "wt-never-made" not in netns.names()


def test_entering_changes_this_thread_only_and_only_within_the_block(make_space: MakeSpace) -> None:
    name, home = make_space("entered"), own()
    seen: list[int] = []
    with netns.entered(name):
        assert own() != home
        thread = threading.Thread(target=lambda: seen.append(os.stat(f"/proc/{os.getpid()}/ns/net").st_ino))
        thread.start()
        thread.join()
    assert own() == home


def test_errors_come_back_from_the_namespaces_thread(make_space: MakeSpace) -> None:
    def fail() -> None:
        raise LookupError("inside")

    with pytest.raises(LookupError, match="inside"):
        netns.run_in(make_space("raises"), fail)


def test_what_is_no_namespace_cannot_be_entered(tmp_path: object) -> None:
    with pytest.raises(KernelError, match="cannot open network namespace wt-none: No such file"):
        netns.run_in("wt-none", own)
    with pytest.raises(KernelError, match="Invalid argument"):
        netns.run_in("/proc/self/exe", own)


@pytest.mark.parametrize("name", ["", ".", "..", "x" * 300])
def test_bad_names(name: str) -> None:
    with pytest.raises(ValueError, match="network namespace"):
        netns.path_of(name)


def test_this_machine_has_what_the_pod_network_needs() -> None:
    probe.require("veth", "bridge", "vxlan")
