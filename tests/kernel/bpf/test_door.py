"""Both doors to BPF do the same."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from weft.kernel.bpf import Bpf, BpfError
from weft.kernel.fake.bpf import FakeBpf
from weft.kernel.real.bpf import RealBpf
from weft.kernel.state.bpf import R0, R1, Code, Map, Program
from weft.proxy.ebpf.maps import ALL
from weft.proxy.ebpf.programs import programs

NAME = f"wt-bpf-{os.getpid()}"
PIN = Path("/run", NAME)
NUMBERS = Map("numbers", 8, 4, 20_000)


@pytest.fixture(params=["fake", pytest.param("real", marks=pytest.mark.root)])
def bpf(request: pytest.FixtureRequest) -> Iterator[Bpf]:
    if request.param == "fake":
        yield FakeBpf()
        return
    cgroup = _cgroup2() / NAME
    cgroup.mkdir()
    door = RealBpf(cgroup, PIN)
    try:
        yield door
    finally:
        door.open(())
        door.clear()
        door.close()
        cgroup.rmdir()
    assert not PIN.exists()
    assert NAME not in subprocess.run(["mount"], capture_output=True, text=True).stdout


def _cgroup2() -> Path:
    hybrid = Path("/sys/fs/cgroup/unified")
    return hybrid if hybrid.exists() else Path("/sys/fs/cgroup")


def test_maps_hold_what_is_put(bpf: Bpf) -> None:
    bpf.open([NUMBERS])
    assert bpf.elements(NUMBERS) == {}
    held = {number.to_bytes(8, "big"): number.to_bytes(4, "big") for number in range(15_000)}
    bpf.put(NUMBERS, held)
    assert bpf.elements(NUMBERS) == held
    bpf.remove(NUMBERS, [bytes(8), b"\xff" * 8])
    assert bpf.get(NUMBERS, bytes(8)) is None
    assert bpf.get(NUMBERS, (7).to_bytes(8, "big")) == (7).to_bytes(4, "big")
    assert len(bpf.elements(NUMBERS)) == 14_999


def test_a_full_map_says_so(bpf: Bpf) -> None:
    small = Map("small", 8, 4, 2)
    bpf.open([small])
    with pytest.raises(BpfError, match="small"):
        bpf.put(small, {bytes((number, *bytes(7))): bytes(4) for number in range(100)})


def test_maps_are_taken_up_again_but_not_those_of_another_shape(bpf: Bpf) -> None:
    bpf.open([NUMBERS])
    bpf.put(NUMBERS, {bytes(8): bytes(4)})
    bpf.open([NUMBERS])
    assert bpf.elements(NUMBERS) == {bytes(8): bytes(4)}
    other = Map("numbers", 4, 4, 20_000)
    bpf.open([other])
    assert bpf.elements(other) == {}


def test_programs_are_attached_in_place_of_those_before(bpf: Bpf) -> None:
    bpf.open(ALL)
    assert bpf.attached() == frozenset()
    for cookie in (1, 2):
        bpf.attach(programs(cookie))
        assert len(bpf.attached()) == 8
    bpf.clear()
    bpf.open(ALL)
    assert bpf.attached() == frozenset()


@pytest.mark.root
def test_the_verifiers_reason_is_told_in_one_line() -> None:
    cgroup = _cgroup2() / NAME
    cgroup.mkdir()
    door = RealBpf(cgroup, PIN)
    door.open(())
    try:
        with pytest.raises(
            BpfError, match=r"^bpf: this kernel does not take program bad: .*bpf_context access"
        ) as caught:
            door.attach([Program("bad", "connect4", Code().load(8, R0, R1, 1000).exit().instructions)])
        assert "\n" not in str(caught.value)
    finally:
        door.clear()
        door.close()
        cgroup.rmdir()


@pytest.mark.root
def test_a_missing_cgroup_is_named() -> None:
    with pytest.raises(BpfError, match="cgroup /nowhere: No such file"):
        RealBpf(Path("/nowhere"), PIN)
