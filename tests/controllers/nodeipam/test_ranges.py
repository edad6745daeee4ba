import pytest
from hypothesis import given
from hypothesis import strategies as st

from weft.addresses import parse_prefixes
from weft.controllers.nodeipam.plan import Ranges


def ranges(cluster: str = "10.244.0.0/16,fd00:10:244::/56", reserved: str = "") -> Ranges:
    return Ranges(parse_prefixes(cluster), 24, 64, parse_prefixes(reserved) if reserved else ())


def test_the_number_of_the_node_is_the_number_of_its_subnet() -> None:
    made = ranges()
    assert made.give("node3") == ("10.244.3.0/24", "fd00:10:244:3::/64")
    assert made.give("worker") == ("10.244.1.0/24", "fd00:10:244:1::/64")
    assert made.give("other3") == ("10.244.2.0/24", "fd00:10:244:2::/64")
    assert made.give("node0") == ("10.244.4.0/24", "fd00:10:244:4::/64"), "0 is left out"
    assert made.give("node300") == ("10.244.5.0/24", "fd00:10:244:5::/64"), "there is no 300"


def test_what_others_gave_and_what_is_reserved_is_not_given_again() -> None:
    made = ranges("10.244.0.0/16", reserved="10.244.2.0/23")
    made.note("old", ["10.244.1.0/24"])
    assert made.give("node1") == ("10.244.4.0/24",)
    made.forget("old")
    assert made.give("late1") == ("10.244.1.0/24",)
    made.note("wide", ["10.244.8.0/21"])
    assert made.give("node9") == ("10.244.5.0/24",)
    made.note("elsewhere", ["192.168.0.0/24", "fd00::/64"])


def test_a_full_range_gives_nothing() -> None:
    made = ranges("10.244.0.0/22")
    assert [made.give(f"n{number}") for number in (1, 2, 3)] == [
        ("10.244.1.0/24",), ("10.244.2.0/24",), ("10.244.3.0/24",),
    ]  # fmt: skip
    assert made.give("n4") is None


@pytest.mark.parametrize("cluster", ["10.244.0.0/24", "10.0.0.0/7", "fd00::/64"])
def test_ranges_that_cannot_be_cut_are_refused(cluster: str) -> None:
    with pytest.raises(ValueError, match="--cluster-cidr"):
        ranges(cluster)


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 9), st.booleans()), max_size=30))
def test_no_subnet_is_given_twice(history: list[tuple[str, int, bool]]) -> None:
    made = ranges("10.244.0.0/20")
    held: dict[str, tuple[str, ...]] = {}
    for letter, number, leaves in history:
        name = f"{letter}{number}"
        if leaves:
            made.forget(name)
            held.pop(name, None)
        elif name not in held and (given := made.give(name)):
            assert given not in held.values()
            held[name] = given
