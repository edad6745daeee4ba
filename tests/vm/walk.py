"""A short walk on a machine with cgroup version 2 and kernel modules. Runs inside: `python -m tests.vm.walk DIRECTORY`.

DIRECTORY/images holds what the image cache has at first. Each step is recorded in DIRECTORY/report.json as soon as it
is done, so that a walk that hangs tells where.
"""

import json
import shutil
import subprocess
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.e2e.lab import Lab, call, until

from weft.lab.layout import IMAGE_CACHE

CGROUPS = Path("/sys/fs/cgroup")
PATIENCE = 600.0  # an emulated machine is 10 to 40 times slower, on cores that others use too
lab = Lab("t-vm")

LIMITED = """
apiVersion: v1
kind: Pod
metadata: {name: client}
spec:
  nodeName: node1
  terminationGracePeriodSeconds: 0
  containers:
  - name: client
    image: toolbox
    command: [sleep, infinity]
    resources:
      requests: {cpu: 250m, memory: 64Mi}
      limits: {cpu: 500m, memory: 128Mi}
"""

GREEDY = """
apiVersion: v1
kind: Pod
metadata: {name: greedy}
spec:
  nodeName: node1
  restartPolicy: Never
  containers:
  - name: greedy
    image: busybox
    command: [dd, if=/dev/zero, of=/dev/null, bs=300M, count=1]
    resources: {limits: {memory: 32Mi}}
"""

SERVER = """
apiVersion: v1
kind: Pod
metadata: {name: web, labels: {app: web}}
spec:
  nodeName: node2
  terminationGracePeriodSeconds: 0
  containers:
  - name: web
    image: busybox
    command: [sh, -c, 'echo "I am $(hostname)" > /tmp/index.html; exec httpd -f -p 8080 -h /tmp']
    ports: [{containerPort: 8080}]
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  selector: {app: web}
  ports: [{port: 80, targetPort: 8080}]
"""


def machine_has_modules_and_cgroup_v2() -> str:
    assert (CGROUPS / "cgroup.controllers").exists(), "no cgroup version 2 at /sys/fs/cgroup"
    assert " cgroup " not in {f" {line.split()[2]} " for line in Path("/proc/mounts").read_text().splitlines()}
    assert not _loaded() & {"br_netfilter", "nf_tables", "vxlan"}, "modules are loaded before weft asks for them"
    return (CGROUPS / "cgroup.controllers").read_text().strip()


def up() -> str:
    done = lab.weft("up", "--nodes", "2", "--timeout", str(PATIENCE), timeout=3 * PATIENCE)
    assert done.code == 0, done.err + done.out
    return done.out


def modules_are_loaded() -> str:
    missing = {"br_netfilter", "nf_conntrack", "nf_tables", "vxlan"} - _loaded()
    assert not missing, f"not loaded: {missing}"
    return " ".join(sorted(_loaded()))


def nodes_are_ready() -> str:
    lab.kubectl("wait", "--for=condition=Ready", "node", "--all", f"--timeout={PATIENCE:.0f}s", timeout=PATIENCE)
    return lab.kubectl("get", "nodes", "-o", "wide", timeout=PATIENCE)


def images_are_built() -> str:
    done = lab.weft("images", "build", "busybox", "toolbox", timeout=PATIENCE)
    assert done.code == 0, done.err
    return done.out


def pod_limits_are_in_cgroup_files() -> str:
    lab.apply(LIMITED)
    _wait("--for=condition=Ready", "pod/client")
    uid = lab.get("pod", "client")["metadata"]["uid"]
    pod = CGROUPS / f"weft/t-vm/node1/kubepods/burstable/pod{uid}"
    wanted = {"memory.max": "134217728", "cpu.max": "50000 100000", "cpu.weight": "10"}
    files = {name: (pod / name).read_text().strip() for name in wanted}
    assert files == wanted, f"of the pod: {files}"
    inside = _in_client("cat", *(f"/sys/fs/cgroup/{name}" for name in wanted)).splitlines()
    assert dict(zip(wanted, inside, strict=True)) == wanted, f"of the container: {inside}"
    whole = _in_client("cat", "/sys/fs/cgroup/memory.oom.group", "/sys/fs/cgroup/memory.swap.max").split()
    assert whole == ["1", "0"], f"of the container: killed as a whole, swap: {whole}"
    return str(files)


def greedy_container_is_killed() -> str:
    lab.apply(GREEDY)
    _wait("--for=jsonpath={.status.phase}=Failed", "pod/greedy")
    ended = lab.get("pod", "greedy")["status"]["containerStatuses"][0]["state"]["terminated"]
    assert (ended["reason"], ended["exitCode"]) == ("OOMKilled", 137), ended
    return str(ended)


def service_answers_across_nodes() -> str:
    lab.apply(SERVER)
    _wait("--for=condition=Ready", "pod/web")
    address = lab.get("service", "web")["spec"]["clusterIP"]
    by_address = until(lambda: _curl(f"http://{address}"), f"an answer of {address}", PATIENCE)
    by_name = until(lambda: _curl("http://web.default.svc.cluster.local"), "an answer by name", PATIENCE)
    assert by_address == by_name == "I am web\n", (by_address, by_name)
    return str(by_address)


def status_tells_all_components() -> str:
    done = lab.weft("status", timeout=PATIENCE)
    assert done.code == 0, done.err + done.out
    return done.out


def down_leaves_nothing() -> str:
    done = lab.weft("down", timeout=PATIENCE)
    assert done.code == 0, done.err
    left = _left()
    assert not left, "\n".join(left)
    return done.out


STEPS: tuple[Callable[[], str], ...] = (
    machine_has_modules_and_cgroup_v2,
    up,
    modules_are_loaded,
    nodes_are_ready,
    images_are_built,
    pod_limits_are_in_cgroup_files,
    greedy_container_is_killed,
    service_answers_across_nodes,
    status_tells_all_components,
    down_leaves_nothing,
)


def _loaded() -> set[str]:
    return {line.split()[0] for line in Path("/proc/modules").read_text().splitlines()}


def _wait(*arguments: str) -> None:
    lab.kubectl("wait", *arguments, f"--timeout={PATIENCE:.0f}s", timeout=PATIENCE + 60)


def _in_client(*command: str) -> str:
    return lab.kubectl("exec", "client", "--", *command, timeout=PATIENCE)


def _curl(url: str) -> str:
    return lab.try_kubectl("exec", "client", "--", "curl", "-sS", "-m", "30", url, timeout=PATIENCE).out


def _left() -> list[str]:
    """This machine has had no other use than the lab: whatever looks like it was left behind."""
    groups = [str(path) for path in CGROUPS.glob("**/weft*") if path.is_dir()]
    files = [str(p) for d in ("/var/lib/weft", "/run/weft", "/var/log/weft", "/run/netns") for p in Path(d).glob("*")]
    mounts = [line for line in Path("/proc/mounts").read_text().splitlines() if "/weft/" in line or "netns" in line]
    mounts = [line for line in mounts if line.split()[1] != str(IMAGE_CACHE)]
    links = [line for line in call("ip", "-br", "link").out.splitlines() if not line.startswith("lo ")]
    processes = [line.split() for line in call("ps", "axo", "stat,comm").out.splitlines()]
    running = [
        f"process {name}"
        for state, name, *_ in processes
        if name.startswith(("weft", "containerd", "runc", "pause")) and not state.startswith("Z")  # init's to reap
    ]
    return groups + files + mounts + links + running + call("nft", "list", "ruleset").out.splitlines()


def main(directory: Path) -> int:
    IMAGE_CACHE.mkdir(parents=True, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "images", str(IMAGE_CACHE)], check=True)
    shutil.copytree(directory / "images", IMAGE_CACHE, dirs_exist_ok=True)
    done: dict[str, dict[str, Any]] = {}
    for step in STEPS:
        started, failure, detail = time.monotonic(), "", ""
        try:
            detail = step()
        except (AssertionError, OSError, KeyError, ValueError, subprocess.SubprocessError):
            failure = traceback.format_exc(limit=-2)
            print(lab.logs(), flush=True)
        seconds = round(time.monotonic() - started, 1)
        print(f"{'failed' if failure else 'done':<7} {step.__name__} {seconds} s\n{failure or detail}", flush=True)
        done[step.__name__] = {"seconds": seconds, "detail": detail, "failure": failure}
        (directory / "report.json").write_text(json.dumps(done, indent=1))
        if failure and step in (machine_has_modules_and_cgroup_v2, up):
            break
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
