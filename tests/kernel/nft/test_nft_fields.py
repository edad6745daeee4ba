import sys
from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weft.kernel.state.nft import (
    CT_STATE,
    DPORT,
    IIFNAME,
    IP6_DADDR,
    IP_DADDR,
    IP_SADDR,
    L4PROTO,
    MARK,
    Chain,
    Map,
    Masquerade,
    Match,
    Set,
    SetBits,
    Table,
    Transaction,
    Verdict,
    concat,
    element_text,
    goto,
    random_below,
    rule,
)

TABLE = Table("ip", "weft-test")
KEY = concat(IP_DADDR, L4PROTO, DPORT, random_below(2))


def test_a_key_is_packed_as_the_kernel_holds_it() -> None:
    number = (1).to_bytes(4, sys.byteorder).hex()
    assert KEY.pack(ip_address("10.96.0.1"), "tcp", 80, 1).hex() == "0a6000010600000000500000" + number


@given(st.ip_addresses(v=6), st.sampled_from(["tcp", "udp", "sctp"]), st.integers(0, 65535))
def test_keys_are_spelt_as_they_were_given(address: object, protocol: str, port: int) -> None:
    key = concat(IP6_DADDR, L4PROTO, DPORT)
    assert key.spell(key.pack(address, protocol, port)) == f"{address} . {protocol} . {port}"  # type: ignore[arg-type]


def test_interval_keys_hold_first_and_last() -> None:
    ranges = Set(TABLE, "sources", concat(IP_SADDR), interval=True)
    assert element_text(ranges, ranges.pack(ip_network("10.0.0.0/24")), None) == "10.0.0.0-10.0.0.255"
    assert element_text(ranges, ranges.pack(ip_address("10.0.0.1")), None) == "10.0.0.1"


@pytest.mark.parametrize("bad", ["", "1x", "a b", "a;flush ruleset", 'a"', "a{", "x" * 129, "a\nb"])
def test_names_that_could_be_syntax_are_refused(bad: str) -> None:
    with pytest.raises(ValueError, match="must begin with a letter"):
        Table("ip", bad)
    with pytest.raises(ValueError, match="must begin with a letter"):
        Chain(TABLE, bad)
    with pytest.raises(ValueError, match="must begin with a letter"):
        Set(TABLE, bad, KEY)
    with pytest.raises(ValueError, match="must begin with a letter"):
        goto(bad)


@pytest.mark.parametrize("word", ["masquerade", "reject", "mark", "ip"])
def test_words_of_nft_are_refused_as_names(word: str) -> None:
    with pytest.raises(ValueError, match="is a word of nft's own"):
        Chain(TABLE, word)


@pytest.mark.parametrize("bad", ['say "x"', "back\\slash", "line\nbreak", "ü", "x" * 128])
def test_comments_that_could_be_syntax_are_refused(bad: str) -> None:
    with pytest.raises(ValueError, match="comment"):
        Table("ip", "t", bad)
    with pytest.raises(ValueError, match="comment"):
        rule(Chain(TABLE, "c"), Masquerade(), comment=bad)


@pytest.mark.parametrize(
    ("field", "value"),
    [(IP_SADDR, ip_address("::1")), (DPORT, 65536), (DPORT, "80; drop"), (IIFNAME, 'a"'), (CT_STATE, "new; drop")],
)
def test_values_of_another_kind_are_refused(field: object, value: object) -> None:
    with pytest.raises(ValueError, match="is not a value of kind"):
        Match(field, value).render()  # type: ignore[arg-type]


def test_a_verdict_map_takes_verdicts_only() -> None:
    verdicts = Map(TABLE, "v", concat(DPORT))
    data = Map(TABLE, "d", concat(DPORT), data=concat(DPORT))
    key = verdicts.pack(80)
    assert element_text(verdicts, key, goto("pick-3")) == "80 : goto pick-3"
    assert element_text(data, key, key) == "80 : 80"
    for of, datum in ((verdicts, key), (data, Verdict("drop")), (data, None), (verdicts, None)):
        with pytest.raises(ValueError, match=r"map . holds"):
            element_text(of, key, datum)


def test_a_transaction_is_one_command_a_line() -> None:
    post = Chain(TABLE, "postrouting")
    keep = SetBits(MARK, 0x4000, 0x4000)
    text = Transaction().replace(TABLE).add(post, rule(post, keep, Masquerade(), comment="out")).flush(post).render()
    assert text.splitlines() == [
        "add table ip weft-test",
        "delete table ip weft-test",
        "add table ip weft-test",
        "add chain ip weft-test postrouting",
        "add rule ip weft-test postrouting meta mark set meta mark & 0xffffbfff | 0x4000 masquerade fully-random "
        'comment "out"',
        "flush chain ip weft-test postrouting",
    ]


def test_an_empty_change_of_elements_is_no_change() -> None:
    numbers = Set(TABLE, "numbers", concat(DPORT))
    assert not Transaction().add_elements(numbers, {}).delete_elements(numbers, [])
