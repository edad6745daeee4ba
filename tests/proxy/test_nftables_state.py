"""Whatever the order of changes, the table holds what a fresh one would."""

import contextlib
import random
from collections import defaultdict
from collections.abc import Mapping
from ipaddress import ip_network
from typing import Any
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.proxy.builders import endpoint, endpoint_slice, service

from weft.addresses import parse_address
from weft.cluster.objects.service import Service
from weft.kernel.fake.nft import FakeNft
from weft.kernel.nft import NftError
from weft.kernel.state.nft import Chain, Datum, Hook, Table, Transaction
from weft.proxy.model import NodeView
from weft.proxy.nftables.layout import Layout, Options
from weft.proxy.nftables.mode import NftablesMode, layouts
from weft.proxy.nftables.render import seat
from weft.proxy.objects import EndpointSlice
from weft.proxy.planner import Planner

NODE = NodeView("node1", "a", (parse_address("172.30.0.11"),), (parse_address("172.30.0.11"),))
LAYOUTS = layouts([ip_network("10.244.0.0/16")], masquerade_all=False)


def held(nft: FakeNft, layout: Layout = LAYOUTS[0]) -> dict[str, Any]:
    """What the table says, but for the order of slots: endpoints as sets."""
    table = nft.tables[layout.family, "weft-proxy"]
    found: dict[str, Any] = {name: dict(elements) for name, elements in table.elements.items()}
    slots: dict[bytes, set[Datum]] = defaultdict(set)
    numbers: dict[bytes, set[int]] = defaultdict(set)
    for protocol in ("tcp", "udp", "sctp"):
        for key, end in found.pop(f"endpoints-{protocol}").items():
            slots[protocol.encode() + key[:-4]].add(end)
            numbers[protocol.encode() + key[:-4]].add(int.from_bytes(key[-4:], "little"))
    return {**found, "endpoints": dict(slots), "numbers": dict(numbers)}


ADDRESSES = [f"10.244.{n % 3 + 1}.{n}" for n in range(1, 9)]


@st.composite
def services(draw: st.DrawFn) -> Service:
    number = draw(st.integers(1, 3))
    kind = draw(st.sampled_from(["ClusterIP", "NodePort", "LoadBalancer"]))
    port: dict[str, Any] = {"port": 80, "protocol": draw(st.sampled_from(["TCP", "UDP"]))}
    if kind != "ClusterIP":
        port["nodePort"] = 30000 + draw(st.integers(0, 1))
    spec: dict[str, Any] = {
        "type": kind,
        "internalTrafficPolicy": draw(st.sampled_from(["Cluster", "Local"])),
        "externalTrafficPolicy": draw(st.sampled_from(["Cluster", "Local"])),
        "sessionAffinity": draw(st.sampled_from(["None", "ClientIP"])),
        "externalIPs": draw(st.lists(st.sampled_from(["198.51.100.1", "198.51.100.2"]), max_size=2)),
        "loadBalancerSourceRanges": draw(st.lists(st.sampled_from(["10.0.0.0/8", "172.30.0.0/24"]), max_size=2)),
        "status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}},
    }
    return service(f"s{number}", draw(st.sampled_from(["10.96.0.1", "10.96.0.2"])), port, **spec)


@st.composite
def slices(draw: st.DrawFn) -> EndpointSlice:
    chosen = draw(st.lists(st.sampled_from(ADDRESSES), max_size=6, unique=True))
    ends = [
        endpoint(
            address,
            f"node{address.split('.')[2]}",
            conditions=draw(
                st.sampled_from([{}, {"ready": False, "serving": True, "terminating": True}, {"ready": False}])
            ),
        )
        for address in chosen
    ]
    ports = [{"name": "", "port": 8080, "protocol": p} for p in ("TCP", "UDP")]
    owner = f"s{draw(st.integers(1, 3))}"
    return endpoint_slice(*ends, service=owner, name=f"{owner}-{draw(st.integers(1, 2))}", ports=ports)


Action = tuple[str, Any]
actions = st.one_of(
    st.tuples(st.just("service"), services()),
    st.tuples(st.just("slice"), slices()),
    st.tuples(st.just("no service"), st.integers(1, 3)),
    st.tuples(st.just("no slice"), st.integers(1, 3), st.integers(1, 2)),
    st.tuples(st.just("sync")),
    st.tuples(st.just("restart")),
    st.tuples(st.just("failure")),
    st.tuples(st.just("killed"), st.integers(0, 6)),
)


class Killed(BaseException):
    """The process is no more, between two transactions."""


class Kernel(FakeNft):
    """Outlives the processes that use it; kills one after so many transactions."""

    left: int | None = None

    def apply(self, transaction: Transaction) -> None:
        if self.left == 0:
            raise Killed
        super().apply(transaction)
        if self.left is not None:
            self.left -= 1


class World:
    """A planner and a mode on a fake kernel, and the objects that they were told."""

    def __init__(self) -> None:
        self.nft = Kernel()
        self.planner = Planner(NODE)
        self.mode = NftablesMode(self.nft, LAYOUTS[:1])
        self.slices: dict[str, EndpointSlice] = {}
        self.complete = False

    async def act(self, action: tuple[Any, ...]) -> None:
        match action:
            case "service", Service() as one:
                self.planner.set_service(one.metadata.key, one)
            case "slice", EndpointSlice() as one:
                self.planner.set_slice(self.slices.get(one.metadata.key), one)
                self.slices[one.metadata.key] = one
            case "no service", int(number):
                self.planner.set_service(f"default/s{number}", None)
            case "no slice", int(number), int(which):
                old = self.slices.pop(f"default/s{number}-{which}", None)
                if old:
                    self.planner.set_slice(old, None)
            case ("sync",):
                await self.sync()
            case ("restart",):
                self.mode, self.complete = NftablesMode(self.nft, LAYOUTS[:1]), False
            case "killed", int(after):
                self.nft.left = after
                with contextlib.suppress(Killed):
                    await self.sync()
                self.nft.left = None
                self.mode, self.complete = NftablesMode(self.nft, LAYOUTS[:1]), False
            case ("failure",):
                self.nft.fail = NftError("nftables: out of memory")

    async def sync(self) -> None:
        changes = self.planner.changes() if self.complete else self.planner.everything()
        try:
            await self.mode.apply(changes, complete=not self.complete)
            self.complete = True
        except NftError:
            self.complete = False


async def fresh(world: World) -> FakeNft:
    planner, nft = Planner(NODE), FakeNft()
    for key, one in world.planner.services.items():
        planner.set_service(key, one)
    for item in world.slices.values():
        planner.set_slice(None, item)
    await NftablesMode(nft, LAYOUTS[:1]).apply(planner.everything(), complete=True)
    return nft


def chain_names(nft: FakeNft, elements: Mapping[str, Any]) -> set[str]:
    return {datum.chain for name in ("services", "sources", "sticky") for datum in elements[name].values()}


@settings(max_examples=400, deadline=None)
@given(st.lists(actions, max_size=25), st.sampled_from([3, 4000]))
async def test_incremental_equals_fresh(todo: list[tuple[Any, ...]], chunk: int) -> None:
    """Also where transactions fail, where the process is killed between any two, and where steps are tiny."""
    with mock.patch("weft.proxy.nftables.state.CHUNK", chunk):
        await check(todo)


async def check(todo: list[tuple[Any, ...]]) -> None:
    world = World()
    for action in todo:
        await world.act(action)
    world.nft.fail = None
    await world.sync()
    await world.sync()
    found = held(world.nft)
    assert found == held(await fresh(world))
    assert chain_names(world.nft, found) <= set(world.nft.tables["ip", "weft-proxy"].chains)


@pytest.mark.scale
async def test_ten_thousand_random_steps_equal_a_fresh_build() -> None:
    rng = random.Random(7)
    world = World()
    for number in range(10_000):
        name = f"s{rng.randrange(40)}"
        ends = [endpoint(rng.choice(ADDRESSES)) for _ in range(rng.randrange(6))]
        await world.act(("slice", endpoint_slice(*ends, service=name, name=f"{name}-{rng.randrange(2)}")))
        await world.act(("service", service(name, f"10.96.0.{rng.randrange(30)}")))
        if rng.random() < 0.1:
            await world.act(("no service", rng.randrange(40)))
        await world.sync()
        if number % 1000 == 0:
            assert held(world.nft) == held(await fresh(world))
    assert held(world.nft) == held(await fresh(world))


@given(
    st.lists(st.binary(min_size=1, max_size=1), unique=True), st.lists(st.binary(min_size=1, max_size=1), unique=True)
)
def test_endpoints_keep_their_seats(before: list[bytes], wanted: list[bytes]) -> None:
    after = seat(before, wanted)
    assert sorted(after) == sorted(wanted)
    kept = [end for end in before[: len(after)] if end in wanted]
    assert all(after[before.index(end)] == end for end in kept)


async def test_one_change_is_one_small_transaction() -> None:
    world = World()
    for number in range(50):
        await world.act(("service", service(f"s{number}", f"10.96.1.{number}")))
        ends = [endpoint(address) for address in ADDRESSES]
        await world.act(("slice", endpoint_slice(*ends, service=f"s{number}", name=f"s{number}-1")))
    await world.sync()
    count = len(world.nft.transactions)
    ends = [endpoint(address) for address in ADDRESSES[:-1]]
    await world.act(("slice", endpoint_slice(*ends, service="s7", name="s7-1")))
    await world.sync()
    made, changed = world.nft.transactions[count:]
    assert "pick-tcp-7" in made.render()
    assert changed.render().splitlines() == [
        "delete element ip weft-proxy services { 10.96.1.7 . tcp . 80 }",
        "delete element ip weft-proxy endpoints-tcp { 10.96.1.7 . 80 . 7 }",
        "add element ip weft-proxy services { 10.96.1.7 . tcp . 80 : goto pick-tcp-7 }",
    ]


async def test_nothing_to_do_is_no_transaction() -> None:
    world = World()
    await world.act(("service", service("s1")))
    await world.sync()
    count = len(world.nft.transactions)
    await world.act(("service", service("s1")))
    await world.sync()
    assert len(world.nft.transactions) == count


async def test_a_restart_changes_nothing_in_the_kernel() -> None:
    world = World()
    await world.act(("service", service("s1", "10.96.0.1", {"port": 80, "nodePort": 30000}, type="NodePort")))
    await world.act(("slice", endpoint_slice(endpoint("10.244.1.1"), service="s1")))
    await world.sync()
    before, count = world.nft.show(Table("ip", "weft-proxy")), len(world.nft.transactions)
    await world.act(("restart",))
    await world.sync()
    assert world.nft.show(Table("ip", "weft-proxy")) == before
    assert [t.render() for t in world.nft.transactions[count:]] == ["flush set ip weft-proxy service-ranges\n"]


async def test_a_table_of_another_layout_is_replaced_in_one_step() -> None:
    world = World()
    other = Layout("ip", Options(masquerade_all=True))
    await world.act(("service", service("s1")))
    await world.act(("slice", endpoint_slice(endpoint("10.244.1.1"), service="s1")))
    await NftablesMode(world.nft, [other]).apply(world.planner.everything(), complete=True)
    count = len(world.nft.transactions)
    await world.act(("restart",))
    await world.sync()
    assert len(world.nft.transactions) == count + 1
    assert held(world.nft) == held(await fresh(world))


async def test_a_table_that_others_broke_is_replaced() -> None:
    world = World()
    await world.act(("service", service("s1")))
    await world.act(("slice", endpoint_slice(endpoint("10.244.1.1"), endpoint("10.244.1.2"), service="s1")))
    await world.sync()
    endpoints = LAYOUTS[0].endpoints("tcp")
    first = sorted(world.nft.elements(endpoints))[0]
    world.nft.apply(Transaction().delete_elements(endpoints, [first]))
    await world.act(("restart",))
    await world.sync()
    assert held(world.nft) == held(await fresh(world))


async def test_udp_flows_to_what_is_gone_are_told() -> None:
    world = World()
    udp = service("s1", "10.96.0.1", {"port": 53, "protocol": "UDP"})
    ports = [{"name": "", "port": 5353, "protocol": "UDP"}]
    await world.act(("service", udp))
    await world.sync()
    one, two = endpoint("10.244.1.1"), endpoint("10.244.1.2")

    async def told(*ends: dict[str, Any]) -> set[tuple[str, int]]:
        await world.act(("slice", endpoint_slice(*ends, service="s1", ports=ports)))
        stale = await world.mode.apply(world.planner.changes())
        return {(str(parse_address_bytes(address)), port) for _, address, port in stale.pairs}

    assert await told(one, two) == {("10.96.0.1", 53)}
    assert await told(two) == {("10.244.1.1", 5353)}
    assert await told() == {("10.244.1.2", 5353)}


def parse_address_bytes(address: bytes) -> str:
    return ".".join(map(str, address))


async def test_cleanup_leaves_no_table() -> None:
    world = World()
    world.nft.apply(Transaction().add(Table("ip", "other"), Chain(Table("ip", "other"), "c", Hook("nat", "output", 0))))
    await world.sync()
    await world.mode.cleanup()
    assert list(world.nft.tables) == [("ip", "other")]
