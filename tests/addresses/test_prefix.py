"""Prefixes: parsing is strict and says the mend; subnets are found without listing those before."""

from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weft.addresses import family, is_dual_stack, nth_subnet, overlapping, parse_address, parse_prefix, parse_prefixes

prefixes = st.one_of(
    st.tuples(st.integers(0, 2**32 - 1), st.integers(0, 32)).map(lambda t: ip_network((t[0], t[1]), strict=False)),
    st.tuples(st.integers(0, 2**128 - 1), st.integers(0, 128)).map(lambda t: ip_network((t[0], t[1]), strict=False)),
)


@given(prefixes)
def test_text_round_trip(prefix: object) -> None:
    assert parse_prefix(str(prefix)) == prefix


@given(prefixes, st.data())
def test_nth_subnet_agrees_with_the_list(prefix: object, data: st.DataObject) -> None:
    found = parse_prefix(str(prefix))
    length = data.draw(st.integers(found.prefixlen, min(found.prefixlen + 6, found.max_prefixlen)))
    listed = list(found.subnets(new_prefix=length))
    index = data.draw(st.integers(-2, len(listed) + 1))
    if 0 <= index < len(listed):
        assert nth_subnet(found, length, index) == listed[index]
    else:
        with pytest.raises(ValueError, match="holds no"):
            nth_subnet(found, length, index)


@given(st.lists(prefixes, max_size=5))
def test_overlapping_finds_a_pair_exactly_when_there_is_one(found: list[object]) -> None:
    parsed = [parse_prefix(str(prefix)) for prefix in found]
    pair = overlapping(parsed)
    naive = any(
        a.version == b.version and a[0] <= b[-1] and b[0] <= a[-1]  # type: ignore[operator]
        for i, a in enumerate(parsed)
        for b in parsed[:i]
    )
    assert (pair is not None) == naive


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("10.1.2.3/16", "pods: '10.1.2.3/16' has host bits set (did you mean 10.1.0.0/16?)"),
        ("10.1.0.0/33", "pods: '10.1.0.0/33' is not a CIDR range"),
        ("010.1.0.0/16", "is not a CIDR range"),
        ("", "is not a CIDR range"),
    ],
)
def test_bad_prefixes_are_refused_with_the_mend(text: str, words: str) -> None:
    with pytest.raises(ValueError) as caught:
        parse_prefix(text, "pods")
    assert words in str(caught.value)


def test_two_families_at_most_one_of_each() -> None:
    assert is_dual_stack(parse_prefixes("10.0.0.0/8, fd00::/8"))
    for text in ("10.0.0.0/8,11.0.0.0/8", "10.0.0.0/8,fd00::/8,fd01::/16"):
        with pytest.raises(ValueError, match="one IPv4 and one IPv6"):
            parse_prefixes(text)


def test_addresses() -> None:
    assert family(parse_address("::1")) == "IPv6"
    for text in ("010.0.0.1", "1.2.3", "::ffff:1.2.3.4.5", "x"):
        with pytest.raises(ValueError, match="is not an IP address"):
            parse_address(text)
