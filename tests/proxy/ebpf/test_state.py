"""The maps' elements, and their differences."""

from hypothesis import given, settings
from hypothesis import strategies as st

from weft.addresses import parse_prefix
from weft.kernel.fake.bpf import FakeBpf
from weft.proxy.ebpf.maps import ALL, ENDPOINTS, MEMBERS, PROGRAMMED, SERVICES, arrange, count_of, frontend, targets
from weft.proxy.ebpf.state import MapState, Step
from weft.proxy.endpoints import Endpoint
from weft.proxy.model import Entry, Frontend

ENDS = tuple(Endpoint(bytes((10, 244, 0, number)), 8080) for number in range(1, 8))
WEB = Frontend(bytes((10, 96, 0, 10)), "tcp", 80)

ends = st.lists(st.sampled_from(ENDS), unique=True, max_size=5).map(tuple)
frontends = st.builds(
    Frontend,
    st.sampled_from([bytes((10, 96, 0, 1)), bytes((10, 96, 0, 2)), bytes(15) + b"\x07"]),
    st.sampled_from(["tcp", "udp", "sctp"]),
    st.sampled_from([53, 80]),
)
entries = st.builds(
    Entry,
    service=st.just("default/web"),
    kind=st.sampled_from(["ClusterIP", "NodePort"]),
    cluster=ends,
    affinity=st.sampled_from([0, 600]),
)
changes = st.dictionaries(frontends, st.none() | entries, max_size=6)


def carry_out(bpf: FakeBpf, step: Step) -> None:
    for one, elements in step.put:
        bpf.put(one, elements)
        assert_whole(bpf)
    for one, keys in step.remove:
        bpf.remove(one, keys)
        assert_whole(bpf)


def assert_whole(bpf: FakeBpf) -> None:
    """Between any two calls, a program that finds a Service finds its first endpoint."""
    for key, value in bpf.maps[SERVICES].items():
        assert count_of(value) > 0
        assert key + bytes(4) in bpf.maps[ENDPOINTS]


@settings(max_examples=100)
@given(st.lists(st.tuples(changes, st.booleans()), max_size=8))
def test_any_changes_and_restarts_lead_where_a_fresh_start_leads(sequence: list) -> None:
    bpf, state, plan = FakeBpf(), MapState(), {}
    bpf.open(ALL)
    for told, restarts in [({}, True), *sequence]:
        plan.update(told)
        if restarts:
            state = MapState()
            state.begin({one: bpf.elements(one) for one in PROGRAMMED})
            told = {at: entry for at, entry in plan.items() if entry is not None}
        carry_out(bpf, state.step(told, complete=restarts))
    fresh = FakeBpf()
    fresh.open(ALL)
    carry_out(fresh, MapState().step({at: one for at, one in plan.items() if one}, complete=True))
    assert bpf.maps[MEMBERS] == fresh.maps[MEMBERS]
    assert bpf.maps[SERVICES] == fresh.maps[SERVICES]
    assert bpf.maps[ENDPOINTS].keys() == fresh.maps[ENDPOINTS].keys()
    for made in (bpf, fresh):
        for key, value in made.maps[SERVICES].items():
            slots = {made.maps[ENDPOINTS][key + number.to_bytes(4, "little")] for number in range(count_of(value))}
            assert len(slots) == count_of(value)
    assert_same_sets(bpf, fresh)


def assert_same_sets(one: FakeBpf, other: FakeBpf) -> None:
    def pairs(bpf: FakeBpf) -> set[tuple[bytes, bytes]]:
        return {(key[:-4], end) for key, end in bpf.maps[ENDPOINTS].items()}

    assert pairs(one) == pairs(other)


names = st.lists(st.binary(min_size=1, max_size=1), unique=True, max_size=9).map(tuple)


@given(names, names)
def test_endpoints_that_stay_keep_their_slots_where_they_can(before: tuple, wanted: tuple) -> None:
    made = arrange(before, wanted)
    assert sorted(made) == sorted(wanted)
    for slot, end in enumerate(before[: len(made)]):
        assert made[slot] == end or end not in wanted


def entry(**fields: object) -> Entry:
    return Entry("default/web", **{"kind": "ClusterIP", "cluster": ENDS[:2], **fields})  # type: ignore[arg-type]


def test_what_needs_packets_is_left_to_nftables() -> None:
    assert len(targets(WEB, entry())) == 2
    assert targets(WEB, entry(cluster=())) == ()
    assert targets(WEB, entry(sources=(parse_prefix("10.0.0.0/8"),))) == ()
    assert targets(WEB._replace(protocol="sctp"), entry()) == ()


def test_local_policies_bind_sockets_of_this_node_at_cluster_ips_only() -> None:
    assert len(targets(WEB, entry(local=ENDS[:1], cluster=()))) == 1
    assert len(targets(WEB, entry(local=ENDS[:1], kind="NodePort"))) == 2


def test_node_ports_answer_on_loopback_until_the_last_address_goes() -> None:
    one, other = (Frontend(bytes((172, 30, 0, last)), "tcp", 30080) for last in (11, 12))
    here = frontend(Frontend(bytes((127, 0, 0, 1)), "tcp", 30080))
    bpf, state = FakeBpf(), MapState()
    bpf.open(ALL)
    carry_out(bpf, state.step({at: entry(kind="NodePort") for at in (one, other)}, complete=True))
    assert here in bpf.maps[SERVICES]
    carry_out(bpf, state.step({one: None}))
    assert here in bpf.maps[SERVICES]
    carry_out(bpf, state.step({other: None}))
    assert bpf.maps[SERVICES] == {}


def test_a_removed_endpoint_is_told_of_with_the_frontends_that_lost_it() -> None:
    state = MapState()
    state.step({WEB: entry()}, complete=True)
    step = state.step({WEB: entry(cluster=ENDS[1:3])})
    ((protocol, end),) = step.lost
    assert (protocol, end[12:16], step.lost[protocol, end]) == (6, ENDS[0].address, {frontend(WEB)})
