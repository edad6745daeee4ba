"""Who changed our table?"""

import contextlib
import os
import subprocess
from collections.abc import Iterator

import pytest

from weft.kernel.real import netns
from weft.kernel.real.nft import RealNft
from weft.kernel.real.nft.watch import ForeignChanges
from weft.kernel.state.nft import DPORT, Chain, Set, Table, Transaction, concat

pytestmark = pytest.mark.root
TABLE, OTHER = Table("ip", "weft-ours"), Table("ip", "weft-other")
NUMBERS = Set(TABLE, "numbers", concat(DPORT))


@pytest.fixture
def space() -> Iterator[str]:
    name = f"weft-test-watch-{os.getpid()}"
    netns.create(name)
    try:
        yield name
    finally:
        netns.delete(name)


def nft(space: str, command: str) -> None:
    subprocess.run(["ip", "netns", "exec", space, "nft", command], check=True)


@pytest.mark.parametrize(
    "command",
    [
        "delete table ip weft-ours",
        "flush chain ip weft-ours c",
        "add rule ip weft-ours c drop",
        "add element ip weft-ours numbers { 9999 }",
        "delete element ip weft-ours numbers { 1 }",
        "flush ruleset",
        "add rule ip weft-other c drop ; add rule ip weft-ours c drop",
    ],
)
def test_others_are_noticed_and_we_are_not(space: str, command: str) -> None:
    with contextlib.closing(RealNft(space)) as door:
        door.apply(Transaction().add(TABLE, NUMBERS, Chain(TABLE, "c"), OTHER, Chain(OTHER, "c")))
        door.run("add rule ip weft-ours c accept")
        with contextlib.closing(door.watch("weft-ours")) as watch:
            noticed(space, command, door, watch)


def noticed(space: str, command: str, door: RealNft, watch: ForeignChanges) -> None:
    door.apply(Transaction().add_elements(NUMBERS, {NUMBERS.pack(n): None for n in range(5000)}))
    door.apply(Transaction().add(Chain(TABLE, "more")))
    assert not watch.read()
    nft(space, "add rule ip weft-other c accept")
    assert not watch.read()
    nft(space, command)
    assert watch.read()
    assert not watch.read()


def test_the_digest_of_rules_tells_of_every_change(space: str) -> None:
    door = RealNft(space)
    door.apply(Transaction().add(TABLE, Chain(TABLE, "c"), Chain(TABLE, "d")))
    door.run("add rule ip weft-ours c ip saddr 10.0.0.1 accept\nadd rule ip weft-ours d drop")
    before = door.rules(TABLE)
    assert set(before) == {"c", "d"}
    assert door.rules(TABLE) == before
    nft(space, "add rule ip weft-ours c drop")
    assert door.rules(TABLE)["c"] != before["c"]
    assert door.rules(TABLE)["d"] == before["d"]
    nft(space, "flush chain ip weft-ours c")
    nft(space, "add rule ip weft-ours c ip saddr 10.0.0.1 accept")
    assert door.rules(TABLE) == before
    assert door.rules(Table("ip", "absent")) == {}
    door.close()
