"""The plugin in a fake world: no address twice, none lost, whatever is asked and whenever the agent is killed."""

import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from ipaddress import ip_address, ip_interface, ip_network
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule
from tests.cni.calls import request

from weft.cni.errors import CniError
from weft.cni.plugins.weft import Attachment, Settings, WeftPlugin
from weft.cni.plugins.weft.model import LEAVING_GROUP, addresses_in_alias, alias
from weft.ipam.journal import Journal
from weft.kernel.errors import KernelError
from weft.kernel.fake.network import FakeNetwork, FakeWorld
from weft.kernel.port import Network
from weft.kernel.state.address import LinkAddress
from weft.kernel.state.change import Add, Change, Remove
from weft.kernel.state.link import Bridge, Link, Veth

RANGES = (ip_network("10.244.1.0/28"), ip_network("fd00:1::/120"))
SETTINGS = Settings("wcni0", RANGES)


class Killed(BaseException):
    """The agent is gone: nothing that it would do afterwards happens."""


class Mortal(FakeNetwork):
    """Dies at the change that `budget` counts down to, before or after it takes effect."""

    budget: int = -1
    after = False

    def apply(self, changes: Sequence[Change]) -> tuple[KernelError, ...]:
        failures: list[KernelError] = []
        for change in changes:
            if Mortal.budget == 0 and not Mortal.after:
                raise Killed
            failures += super().apply([change])
            if Mortal.budget == 0:
                raise Killed
            Mortal.budget -= 1 if Mortal.budget > 0 else 0
        return tuple(failures)


def node_world(*pods: str) -> FakeWorld:
    world = FakeWorld("node", *pods)
    gateways = [ip_interface("10.244.1.1/28"), ip_interface("fd00:1::1/120")]
    changes: list[Change] = [Add(Link("wcni0", Bridge()))]
    world.network("node").apply([*changes, *(Add(LinkAddress("wcni0", gateway)) for gateway in gateways)])
    return world


def made_in(world: FakeWorld, directory: Path, kind: Callable[[FakeWorld, str], Network] = FakeNetwork) -> WeftPlugin:
    def opened(netns: str) -> Network:
        world.of(netns or "node")
        return kind(world, netns or "node")

    plugin = WeftPlugin(Journal(directory / "attachments", Attachment), opened)
    plugin.recover()
    plugin.configure(SETTINGS)
    return plugin


@pytest.fixture
def world() -> FakeWorld:
    return node_world("/run/netns/pod", "/run/netns/other")


@pytest.fixture
def plugin(world: FakeWorld, tmp_path: Path) -> Iterator[WeftPlugin]:
    made = made_in(world, tmp_path)
    yield made
    made.close()


def test_a_pod_gets_a_link_addresses_and_default_routes(world: FakeWorld, plugin: WeftPlugin) -> None:
    result = plugin.add(request("ADD"))
    assert [str(entry.interface) for entry in result.addresses] == ["10.244.1.2/28", "fd00:1::2/120"]
    assert [link.name for link in result.links][::2] == ["wcni0", "eth0"]
    pod = world.network("/run/netns/pod").observe()
    eth0 = pod.link("eth0")
    assert eth0 is not None
    assert (eth0.up, eth0.mac) == (True, "0a:58:0a:f4:01:02")
    assert {str(route.destination): str(route.via) for route in pod.routes if route.via} == {
        "0.0.0.0/0": "10.244.1.1",
        "::/0": "fd00:1::1",
    }
    plugin.check(request("CHECK"))
    plugin.status(request("STATUS"))


def test_adding_twice_gives_the_same_answer(plugin: WeftPlugin) -> None:
    assert plugin.add(request("ADD")) == plugin.add(request("ADD"))
    assert plugin.addresses_in_use == (1, 1)


def test_an_attachment_that_is_broken_is_made_anew(world: FakeWorld, plugin: WeftPlugin) -> None:
    plugin.add(request("ADD"))
    world.network("/run/netns/pod").apply([Remove(Link("eth0"))])
    plugin.add(request("ADD"))
    plugin.check(request("CHECK"))
    assert plugin.addresses_in_use == (1, 1)


def test_deleting_is_quick_then_done_and_never_an_error(world: FakeWorld, plugin: WeftPlugin) -> None:
    plugin.delete(request("DEL"))
    plugin.add(request("ADD"))
    plugin.delete(request("DEL"))
    (link,) = [link for link in world.network("node").observe().links if link.name.startswith("weft")]
    assert link.group == LEAVING_GROUP
    assert plugin.addresses_in_use == (1, 1), "free only once the link is gone"
    plugin.reap()
    assert plugin.addresses_in_use == (0, 0)
    assert world.network("/run/netns/pod").link("eth0") is None
    plugin.delete(request("DEL"))


def test_deleting_after_the_namespace_has_gone(world: FakeWorld, plugin: WeftPlugin) -> None:
    plugin.add(request("ADD"))
    world.delete("/run/netns/pod")
    plugin.delete(request("DEL"))
    assert plugin.addresses_in_use == (0, 0)


def test_a_pod_that_comes_back_before_its_last_link_has_gone(plugin: WeftPlugin) -> None:
    first = plugin.add(request("ADD"))
    plugin.delete(request("DEL"))
    second = plugin.add(request("ADD"))
    assert second.addresses != first.addresses
    plugin.reap()
    plugin.check(request("CHECK"))
    assert plugin.addresses_in_use == (1, 1)


def test_another_container_in_a_namespace_that_is_being_left(plugin: WeftPlugin) -> None:
    plugin.add(request("ADD", "one"))
    plugin.delete(request("DEL", "one"))
    plugin.add(request("ADD", "two"))
    assert [record.container for record in plugin.attachments] == ["two"]


@pytest.mark.parametrize(
    ("netns", "code", "words"),
    [("/run/netns/none", 3, "CNI_NETNS: cannot open network namespace /run/netns/none"), ("/run/netns/full", 100, "")],
)
def test_a_refused_add_leaves_nothing(netns: str, code: int, words: str, tmp_path: Path) -> None:
    world = node_world("/run/netns/full")
    world.network("/run/netns/full").apply([Add(Link("eth0", Bridge()))])
    plugin = made_in(world, tmp_path)
    with pytest.raises(CniError) as caught:
        plugin.add(request("ADD", netns=netns))
    assert caught.value.code == code
    assert words in caught.value.message
    assert (plugin.attachments, plugin.addresses_in_use) == ((), (0, 0))
    assert [link.name for link in world.network("node").observe().links] == ["lo", "wcni0"]
    plugin.close()


def test_a_full_range_says_so_and_works_again_after_a_delete(tmp_path: Path) -> None:
    pods = [f"/run/netns/{number}" for number in range(14)]
    plugin = made_in(node_world(*pods), tmp_path)
    for number, pod in enumerate(pods[:13]):
        plugin.add(request("ADD", f"c{number}", pod))
    with pytest.raises(CniError, match=r"range 10\.244\.1\.0/28 has no free address: all 13 are in use") as caught:
        plugin.add(request("ADD", "c13", pods[13]))
    assert caught.value.code == 101
    plugin.delete(request("DEL", "c4", pods[4]))
    result = plugin.add(request("ADD", "c13", pods[13]))
    assert str(result.addresses[0].interface.ip) == "10.244.1.6"
    plugin.close()


def test_before_the_node_has_a_range(world: FakeWorld, plugin: WeftPlugin) -> None:
    plugin.configure(None, "node node1 has no pod range yet")
    for call, code in ((plugin.add, 11), (plugin.check, 11), (plugin.status, 50)):
        with pytest.raises(CniError, match="not ready: node node1 has no pod range yet") as caught:
            call(request("ADD"))
        assert caught.value.code == code


def test_status_misses_the_bridge(world: FakeWorld, plugin: WeftPlugin) -> None:
    world.network("node").apply([Remove(Link("wcni0"))])
    with pytest.raises(CniError, match="bridge wcni0 is missing") as caught:
        plugin.status(request("STATUS"))
    assert caught.value.code == 50


def test_check_tells_what_differs(world: FakeWorld, plugin: WeftPlugin) -> None:
    plugin.add(request("ADD"))
    address = LinkAddress("eth0", ip_interface("10.244.1.2/28"))
    world.network("/run/netns/pod").apply([Remove(address)])
    with pytest.raises(CniError, match=r"address 10\.244\.1\.2/28 on eth0 is missing in the container") as caught:
        plugin.check(request("CHECK"))
    assert caught.value.code == 102
    with pytest.raises(CniError, match="prevResult does not have fd00:1::2/120") as caught:
        world.network("/run/netns/pod").apply([Add(address)])
        plugin.check(request("CHECK", prevResult={"ips": [{"address": "10.244.1.2/28"}]}))
    with pytest.raises(CniError) as caught:
        plugin.check(request("CHECK", "unknown"))
    assert caught.value.code == 3


def test_gc_keeps_what_is_valid_and_other_networks(world: FakeWorld, plugin: WeftPlugin) -> None:
    plugin.add(request("ADD", "kept"))
    plugin.add(request("ADD", "lost", "/run/netns/other"))
    plugin.gc(request("GC", name="another-network", **{"cni.dev/valid-attachments": []}))
    plugin.gc(request("GC", **{"cni.dev/valid-attachments": [{"containerID": "kept", "ifname": "eth0"}]}))
    plugin.reap()
    assert [record.container for record in plugin.attachments] == ["kept"]
    assert plugin.addresses_in_use == (1, 1)
    with pytest.raises(CniError, match="valid-attachments is missing"):
        plugin.gc(request("GC"))


def test_lost_records_keep_their_addresses_taken(world: FakeWorld, tmp_path: Path) -> None:
    first = made_in(world, tmp_path)
    first.add(request("ADD"))
    first.close()
    half_made = Link("weft00000000000", Veth(Link("eth9"), "/run/netns/other"))
    world.network("node").apply([Add(half_made)])
    (tmp_path / "attachments").unlink()
    second = made_in(world, tmp_path)
    assert second.addresses_in_use == (1, 1)
    assert world.network("node").link(half_made.name) is None
    second.gc(request("GC", **{"cni.dev/valid-attachments": []}))
    second.reap()
    assert second.addresses_in_use == (0, 0)
    second.close()


def test_an_alias_tells_the_addresses_and_the_pod() -> None:
    addresses = (ip_address("10.244.1.2"), ip_address("fd00:1::2"))
    text = alias(addresses, {"K8S_POD_NAMESPACE": "default", "K8S_POD_NAME": "é" * 300})
    assert len(text.encode()) <= 255
    assert addresses_in_alias(text) == addresses
    assert addresses_in_alias("a bridge for the lab") == ()


CONTAINERS = st.sampled_from([f"c{number}" for number in range(6)])


class Life(RuleBasedStateMachine):
    """ADD, DEL, GC and reaping, with kills at any change of the kernel and restarts after them."""

    containers = Bundle("containers")

    def __init__(self) -> None:
        super().__init__()
        Mortal.budget = -1
        self.directory = Path(tempfile.mkdtemp(prefix="weft-test-"))
        self.world = node_world(*(f"/run/netns/c{number}" for number in range(6)))
        self.plugin = made_in(self.world, self.directory, Mortal)
        self.attached: set[str] = set()

    def attempt(self, act: Callable[[], object]) -> bool:
        try:
            act()
        except Killed:
            Mortal.budget = -1
            self.plugin = made_in(self.world, self.directory, Mortal)
            return False
        return True

    @rule(container=CONTAINERS)
    def add(self, container: str) -> None:
        if self.attempt(lambda: self.plugin.add(request("ADD", container, f"/run/netns/{container}"))):
            self.attached.add(container)

    @rule(container=CONTAINERS)
    def delete(self, container: str) -> None:
        """A runtime repeats what has failed."""
        act = lambda: self.plugin.delete(request("DEL", container, f"/run/netns/{container}"))  # noqa: E731
        if self.attempt(act) or self.attempt(act):
            self.attached.discard(container)

    @rule()
    def reap(self) -> None:
        self.attempt(lambda: self.plugin.reap())

    @rule()
    def collect(self) -> None:
        valid = [{"containerID": container, "ifname": "eth0"} for container in self.attached]
        self.attempt(lambda: self.plugin.gc(request("GC", **{"cni.dev/valid-attachments": valid})))

    @rule(budget=st.integers(0, 6), after=st.booleans())
    def doom(self, budget: int, after: bool) -> None:
        Mortal.budget, Mortal.after = budget, after

    @invariant()
    def no_address_twice(self) -> None:
        given: list[str] = []
        for number in range(6):
            state = FakeNetwork(self.world, f"/run/netns/c{number}").observe()
            given += [str(address.interface) for address in state.addresses]
        assert len(given) == len(set(given))
        recorded = {text for record in self.plugin.attachments for text in record.addresses}
        assert set(given) <= recorded

    @invariant()
    def attached_pods_work(self) -> None:
        budget, Mortal.budget = Mortal.budget, -1
        for container in self.attached:
            self.plugin.check(request("CHECK", container, f"/run/netns/{container}"))
        Mortal.budget = budget

    def teardown(self) -> None:
        Mortal.budget = -1
        self.plugin = made_in(self.world, self.directory, Mortal)
        self.plugin.gc(request("GC", **{"cni.dev/valid-attachments": []}))
        self.plugin.reap()
        assert (self.plugin.attachments, self.plugin.addresses_in_use) == ((), (0, 0))
        assert [link.name for link in FakeNetwork(self.world, "node").observe().links] == ["lo", "wcni0"]
        self.plugin.close()
        shutil.rmtree(self.directory)


TestLife = Life.TestCase
TestLife.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
