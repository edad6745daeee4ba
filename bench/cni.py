"""ADD and DEL latency: Weft's plugin (shim, agent, kernel) against Debian's bridge + host-local, in the same run.

    .venv/bin/python bench/cni.py [--pods 50] [--burst 110]

Needs root. Every call starts the executable as a runtime does; namespaces are made before the clock starts. Prints a
table and writes bench/results/cni.json. Ratios travel, absolutes do not.
"""

import argparse
import itertools
import json
import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from ipaddress import ip_interface, ip_network
from pathlib import Path
from typing import Any

from weft.cni.plugins.weft import Attachment, Settings, WeftPlugin
from weft.cni.serve import CniServer
from weft.cni.shim.install import install
from weft.ipam.journal import Journal
from weft.kernel.real import netns
from weft.kernel.real.netlink import NetlinkNetwork
from weft.kernel.state.address import LinkAddress
from weft.kernel.state.change import Add, Replace
from weft.kernel.state.link import Bridge, Link

REFERENCE = Path("/usr/lib/cni")
RESULTS = Path(__file__).parent / "results"
_numbers = itertools.count(1)


@contextmanager
def spaces(count: int) -> Iterator[list[str]]:
    made = [netns.create(f"bench{os.getpid()}-{next(_numbers)}") for _ in range(count)]
    try:
        yield made
    finally:
        for path in made:
            netns.delete(path)


class Subject:
    """Something with ADD and DEL, called as a runtime calls it: a process, its environment, its standard input."""

    def __init__(self, name: str, executable: Path, config: dict[str, Any], node: str) -> None:
        self.name = name
        self._executable = executable
        self._config = json.dumps(config).encode()
        self._node = node

    def call(self, verb: str, pod: str) -> float:
        """Milliseconds. The process is started by posix_spawn from a thread that is in the node's namespace."""
        env = {
            "CNI_COMMAND": verb,
            "CNI_CONTAINERID": Path(pod).name,
            "CNI_NETNS": pod,
            "CNI_IFNAME": "eth0",
            "CNI_PATH": str(self._executable.parent),
            "PATH": os.environ["PATH"],
        }
        with netns.entered(self._node):
            began = time.perf_counter()
            done = subprocess.run([self._executable], env=env, input=self._config, capture_output=True, check=False)
            taken = time.perf_counter() - began
        if done.returncode:
            raise SystemExit(f"{self.name} {verb}: {done.stdout.decode()}{done.stderr.decode()}")
        return taken * 1000

    def one_by_one(self, pods: Sequence[str]) -> dict[str, list[float]]:
        added = [self.call("ADD", pod) for pod in pods]
        return {"add": added, "del": [self.call("DEL", pod) for pod in pods]}

    def burst(self, pods: Sequence[str], at_once: int) -> dict[str, Any]:
        with ThreadPoolExecutor(at_once) as pool:
            began = time.perf_counter()
            each = list(pool.map(lambda pod: self.call("ADD", pod), pods))
            whole = (time.perf_counter() - began) * 1000
            list(pool.map(lambda pod: self.call("DEL", pod), pods))
        return {"each": each, "whole": whole}


@contextmanager
def weft(directory: Path, node: str) -> Iterator[Subject]:
    """The agent is a process of its own, as on a node: it shares no interpreter with what measures it."""
    ready, write = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            _agent(directory, node, write)
        finally:
            os._exit(1)
    try:
        os.close(write)
        os.read(ready, 1)
        os.close(ready)
        config = {"cniVersion": "1.0.0", "name": "bench", "type": "weft"}
        yield Subject("weft", directory / "bin" / "weft", config, node)
    finally:
        os.kill(child, 9)
        os.waitpid(child, 0)


def _agent(directory: Path, node: str, write: int) -> None:
    netns.enter(node)
    with NetlinkNetwork() as network:
        network.apply(
            [
                Replace(Link("lo")),
                Add(Link("wcni0", Bridge())),
                Add(LinkAddress("wcni0", ip_interface("10.244.0.1/22"))),
                Add(LinkAddress("wcni0", ip_interface("fd00:10:244::1/64"))),
            ]
        )
    plugin = WeftPlugin(Journal(directory / "attachments", Attachment), NetlinkNetwork)
    plugin.start()
    plugin.configure(Settings("wcni0", (ip_network("10.244.0.0/22"), ip_network("fd00:10:244::/64"))))
    CniServer(directory / "cni.sock", {"weft": plugin}).start()
    install(directory / "bin", ["weft"], directory / "cni.sock")
    os.write(write, b"1")
    while True:
        time.sleep(3600)


def reference(directory: Path, node: str, *, masquerade: bool) -> Subject:
    config = {
        "cniVersion": "1.0.0",
        "name": f"bench{masquerade}",
        "type": "bridge",
        "bridge": "cni1" if masquerade else "cni0",
        "isGateway": True,
        "hairpinMode": True,
        "ipMasq": masquerade,
        "ipam": {
            "type": "host-local",
            "dataDir": str(directory / "ipam"),
            "ranges": [[{"subnet": f"10.{245 + masquerade}.0.0/22"}], [{"subnet": f"fd00:10:{245 + masquerade}::/64"}]],
            "routes": [{"dst": "0.0.0.0/0"}, {"dst": "::/0"}],
        },
    }
    name = "bridge + host-local" + (" + ipMasq" if masquerade else "")
    return Subject(name, REFERENCE / "bridge", config, node)


def percentile(values: Sequence[float], part: float) -> float:
    return sorted(values)[min(int(len(values) * part), len(values) - 1)]


def summary(values: Sequence[float]) -> dict[str, float]:
    return {"p50": round(statistics.median(values), 2), "p99": round(percentile(values, 0.99), 2)}


def measure(subject: Subject, pods: int, burst: int, at_once: int) -> dict[str, Any]:
    with spaces(pods) as made:
        subject.one_by_one(made[:3])
        alone = subject.one_by_one(made)
    with spaces(burst) as made:
        together = subject.burst(made, at_once)
    return {
        "add_ms": summary(alone["add"]),
        "del_ms": summary(alone["del"]),
        "burst_add_ms": summary(together["each"]),
        "burst_seconds": round(together["whole"] / 1000, 3),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pods", type=int, default=50)
    parser.add_argument("--burst", type=int, default=110)
    parser.add_argument("--at-once", type=int, default=16)
    args = parser.parse_args()
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        (node,) = stack.enter_context(spaces(1))
        subjects = [stack.enter_context(weft(directory, node))]
        if (REFERENCE / "bridge").exists():
            subjects += [reference(directory, node, masquerade=masquerade) for masquerade in (False, True)]
        found = {subject.name: measure(subject, args.pods, args.burst, args.at_once) for subject in subjects}
    header = f"{args.burst} ADDs, {args.at_once} at once"
    print(f"{'':28} {'ADD p50':>8} {'p99':>8} {'DEL p50':>8} {'p99':>8}   {header}: {'p50':>6} {'p99':>8} {'whole':>8}")
    for name, row in found.items():
        cells = [row[key][part] for key in ("add_ms", "del_ms") for part in ("p50", "p99")]
        text = " ".join(f"{cell:8.2f}" for cell in cells)
        each = row["burst_add_ms"]
        print(
            f"{name:28} {text}   {'':{len(header)}}{each['p50']:8.2f} {each['p99']:8.2f} {row['burst_seconds']:6.2f} s"
        )
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "cni.json").write_text(json.dumps({"unit": "ms", "results": found}, indent=2) + "\n")


if __name__ == "__main__":
    main()
