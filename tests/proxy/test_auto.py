"""Mode `auto`."""

import pytest

from weft.proxy.auto import choose


def test_the_best_that_can_be_is_chosen_and_it_is_said_why_no_better_one() -> None:
    can, cannot = (lambda: ""), (lambda: "too old")
    assert choose({"ebpf": can, "nftables": can}) == ("ebpf", "the best there is")
    assert choose({"iptables": can, "nftables": can, "ebpf": cannot}) == ("nftables", "not ebpf: too old")


def test_where_none_can_be_all_reasons_are_told() -> None:
    with pytest.raises(ValueError, match="not ebpf: old; not nftables: older"):
        choose({"ebpf": lambda: "old", "nftables": lambda: "older"})
