"""Control groups of pods in both layouts, on plain directories that stand for the hierarchies."""

from pathlib import Path

from weft.kubelet.cgroups.tree import CgroupTree
from weft.kubelet.pods.resources import container_resources

from .values import make_pod

LIMITS = {"shares": 256, "quota": 50_000, "memory": 128 << 20}
POD = "/weft/lab/node1/kubepods/burstable/podx"


def contents(directory: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in directory.iterdir() if path.is_file()}


def unified(at: Path) -> CgroupTree:
    (at / "cgroup.controllers").write_text("cpu memory")
    return CgroupTree(at)


def test_version_2_passes_controllers_down_and_converts_shares(tmp_path: Path) -> None:
    tree = unified(tmp_path)
    tree.ensure(POD, LIMITS)
    made = contents(tmp_path / POD.lstrip("/"))
    assert made == {"cpu.weight": "10", "cpu.max": "50000 100000", "memory.max": "134217728"}
    assert (tmp_path / "weft/lab/node1/kubepods/burstable/cgroup.subtree_control").exists()
    assert list(tree.pods("/weft/lab/node1/kubepods")) == [POD]


def test_version_1_writes_to_each_controller_and_fills_cpusets(tmp_path: Path) -> None:
    for controller in ("cpu", "memory", "cpuset"):
        (tmp_path / controller).mkdir()
    tree = CgroupTree(tmp_path)
    tree.ensure(POD, LIMITS)
    assert contents(tmp_path / "cpu" / POD.lstrip("/")) == {
        "cpu.shares": "256", "cpu.cfs_period_us": "100000", "cpu.cfs_quota_us": "50000",
    }  # fmt: skip
    assert contents(tmp_path / "memory" / POD.lstrip("/")) == {"memory.limit_in_bytes": "134217728"}
    assert tree.container_files() == {}


def test_containers_die_whole_and_do_not_swap_where_version_2_lets_them(tmp_path: Path) -> None:
    tree = unified(tmp_path)
    assert tree.container_files() == {}
    (tmp_path / "weft").mkdir()
    (tmp_path / "weft" / "memory.oom.group").write_text("0")
    assert tree.container_files() == {"memory.oom.group": "1"}
    (tmp_path / "weft" / "memory.swap.max").write_text("max")
    pod = make_pod()
    found = container_resources(pod, pod.spec.containers[0], 1 << 30, tree.container_files())
    assert found["unified"] == {"memory.oom.group": "1", "memory.swap.max": "0"}
    assert "unified" not in container_resources(pod, pod.spec.containers[0], 1 << 30)
