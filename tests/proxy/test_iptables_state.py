"""Whatever the order of changes, the rules are those of a fresh build; what is left over goes at a restart."""

import asyncio
import shutil
from ipaddress import ip_network

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.proxy.builders import endpoint, endpoint_slice, service

from weft.kernel.fake.iptables import FakeIptables
from weft.kernel.iptables import IptablesError
from weft.kernel.real.iptables import RealIptables
from weft.proxy.endpoints import Endpoint, packed
from weft.proxy.iptables.mode import IptablesMode, options
from weft.proxy.iptables.render import name
from weft.proxy.iptables.state import udp_endpoints
from weft.proxy.model import Entry, Frontend, NodeView
from weft.proxy.planner import Planner

CIDRS = [ip_network("10.244.0.0/16"), ip_network("fd00:10:244::/56")]
ADDRESSES = [packed(text) for text in ("10.96.0.1", "10.96.0.2", "10.96.200.3", "172.30.0.11", "fd00:10:96::1")]
ENDS = {
    width: [Endpoint(bytes(width - 1) + bytes((n,)), 8080, local=n % 2 == 0) for n in range(5)] for width in (4, 16)
}


def ends_of(width: int) -> st.SearchStrategy[tuple[Endpoint, ...]]:
    return st.lists(st.sampled_from(ENDS[width]), unique=True, max_size=4).map(tuple)


@st.composite
def changes(draw: st.DrawFn) -> dict[Frontend, Entry | None]:
    made: dict[Frontend, Entry | None] = {}
    for address in draw(st.lists(st.sampled_from(ADDRESSES), unique=True, max_size=4)):
        at = Frontend(address, draw(st.sampled_from(["tcp", "udp"])), draw(st.sampled_from([53, 80])))
        width = len(address)
        made[at] = draw(
            st.none()
            | st.builds(
                Entry,
                service=st.sampled_from(["default/web:http", 'bad"name\n']),
                kind=st.sampled_from(["ClusterIP", "NodePort", "LoadBalancer"]),
                cluster=ends_of(width),
                local=st.none() | ends_of(width),
                absent=st.sampled_from(["", "reject", "drop"]),
                affinity=st.sampled_from([0, 60]),
                sources=st.sampled_from([(), (ip_network("192.0.2.0/24" if width == 4 else "2001:db8::/64"),)]),
            )
        )
    return made


def mode(kernel: FakeIptables) -> IptablesMode:
    return IptablesMode(kernel, options(CIDRS, masquerade_all=False))


def held(kernel: FakeIptables) -> dict[str, str]:
    """Without the order in which chains were made."""
    return {f"{v} {t}": "\n".join(sorted(kernel.save(v, t).splitlines())) for v in (4, 6) for t in ("nat", "filter")}


@settings(max_examples=60, deadline=None)
@given(st.lists(changes(), max_size=6), st.integers(0, 6))
def test_changes_one_by_one_make_what_a_fresh_build_makes(steps: list[dict[Frontend, Entry | None]], cut: int) -> None:
    async def both() -> None:
        grown, fresh = FakeIptables(), FakeIptables()
        writer, wanted = mode(grown), dict[Frontend, Entry | None]()
        await writer.apply({}, complete=True)
        for number, step in enumerate(steps):
            wanted.update(step)
            if number == cut:
                writer = mode(grown)
                await writer.apply({at: one for at, one in wanted.items() if one}, complete=True)
            else:
                await writer.apply(step)
        await mode(fresh).apply({at: one for at, one in wanted.items() if one}, complete=True)
        assert held(grown) == held(fresh)
        await writer.cleanup()
        assert held(grown) == held(FakeIptables())

    asyncio.run(both())


def entries(*pods: str, protocol: str = "TCP", port: int = 80, **spec: object) -> dict[Frontend, Entry | None]:
    planner = Planner(NodeView("node1"))
    planner.set_service("default/web", service("web", "10.96.0.10", {"port": port, "protocol": protocol}, **spec))
    ports = [{"name": "", "port": 8080, "protocol": protocol}]
    planner.set_slice(None, endpoint_slice(*(endpoint(pod, "node2") for pod in pods), ports=ports))
    return dict(planner.everything())


async def test_one_change_writes_one_chain() -> None:
    kernel = FakeIptables()
    writer = mode(kernel)
    many = {
        Frontend(bytes((10, 96, n, 1)), "tcp", 80): Entry("a/b", "ClusterIP", cluster=(ENDS[4][0],)) for n in range(99)
    }
    await writer.apply({**many, **entries("10.244.1.5")}, complete=True)
    kernel.writes.clear()
    await writer.apply(entries("10.244.1.5", "10.244.1.6"))
    (text,) = kernel.writes
    assert [line.split()[0] for line in text.splitlines() if line.startswith(":")] == [
        f":{name('SVC', packed('10.96.0.10'), 'tcp', 80)}"
    ]
    kernel.writes.clear()
    await writer.apply(entries("10.244.1.5", "10.244.1.6"))
    assert kernel.writes == []


async def test_after_a_restart_udp_flows_of_lost_endpoints_are_known() -> None:
    kernel = FakeIptables()
    await mode(kernel).apply(entries("10.244.1.5", "10.244.1.6", protocol="UDP", port=53), complete=True)
    at = Frontend(packed("10.96.0.10"), "udp", 53)
    ends = {(packed("10.244.1.5"), 8080), (packed("10.244.1.6"), 8080)}
    assert udp_endpoints(kernel.save(4, "nat")) == {at: ends}
    stale = await mode(kernel).apply(entries("10.244.1.6", protocol="UDP", port=53), complete=True)
    assert stale.pairs == [(at, packed("10.244.1.5"), 8080)]
    stale = await mode(kernel).apply({}, complete=True)
    assert stale.pairs == [(at, packed("10.244.1.6"), 8080)]


async def test_what_the_program_refuses_is_written_again() -> None:
    kernel = FakeIptables()
    writer = mode(kernel)
    await writer.apply({}, complete=True)
    kernel.fail = IptablesError("iptables-restore: line 3 failed")
    with pytest.raises(IptablesError):
        await writer.apply(entries("10.244.1.5"))
    await writer.apply(entries("10.244.1.5"), complete=True)
    assert "--to-destination 10.244.1.5:8080" in kernel.save(4, "nat")


async def test_a_flush_by_another_program_is_seen_and_repaired() -> None:
    kernel = FakeIptables()
    writer = mode(kernel)
    await writer.apply(entries("10.244.1.5"), complete=True)
    before = held(kernel)
    assert writer.intact()
    kernel.tables.pop((4, "nat"))
    assert not writer.intact()
    await writer.apply(entries("10.244.1.5"), complete=True)
    assert held(kernel) == before


def test_without_the_programs_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda *_, **__: None)
    with pytest.raises(IptablesError, match="install Debian's package iptables"):
        RealIptables()
