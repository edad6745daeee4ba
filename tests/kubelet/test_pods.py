"""Pods in a real runtime, from creation to their end."""

import asyncio
from pathlib import Path

import pytest

from weft.cluster.objects.resource import PODS

from .harness import Harness, condition, container, eventually, pod, state
from .runtime import BUSYBOX

pytestmark = pytest.mark.root


async def test_a_bound_pod_becomes_ready_and_is_let_go(harness: Harness) -> None:
    found = await harness.run(pod("web"))
    status = found["status"]
    assert status["phase"] == "Running" and status["podIP"].startswith("10.199.")
    assert status["hostIP"] == harness.node.address and status["qosClass"] == "BestEffort"
    assert {c["type"] for c in status["conditions"]} == {
        "PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled",
    }  # fmt: skip
    assert state(found)["started"] and state(found)["containerID"].startswith("containerd://")
    await harness.delete("web")
    events = await harness.events("web")
    assert [e.split(":")[0] for e in events] == ["Pulled", "Created", "Started", "Killing"]
    uid = found["metadata"]["uid"]
    assert not list(Path(harness.config.root_dir).glob(f"*/{uid}"))
    assert not list(Path("/sys/fs/cgroup").glob(f"*{harness.node.cgroup_root}/kubepods/*/pod{uid}"))

    async def forgotten() -> bool:
        return not list(harness.config.pod_log_dir.iterdir()) and not await harness.kubelet.node.runtime.pods()

    await eventually(forgotten)


async def test_init_containers_run_one_after_the_other(harness: Harness) -> None:
    share = {"name": "share", "mountPath": "/share"}
    first = container("first", "sh", "-c", "echo one >>/share/log", volumeMounts=[share])
    second = container("second", "sh", "-c", "echo two >>/share/log", volumeMounts=[share])
    main = container("main", "sleep", "1000", volumeMounts=[share])
    found = await harness.run(
        pod("init", main, initContainers=[first, second], volumes=[{"name": "share", "emptyDir": {}}])
    )
    assert await harness.output("init", "cat", "/share/log") == "one\ntwo\n"
    assert state(found, "second", "initContainerStatuses")["state"]["terminated"]["reason"] == "Completed"
    assert state(found, "second", "initContainerStatuses")["ready"]


async def test_a_job_like_pod_succeeds_and_one_that_fails_fails(harness: Harness) -> None:
    done = pod("done", container("main", "true"), restartPolicy="Never")
    fails = pod("fails", container("main", "sh", "-c", "echo why >/dev/termination-log; exit 3"), restartPolicy="Never")
    good = await harness.run(done, lambda o: o["status"]["phase"] == "Succeeded")
    bad = await harness.run(fails, lambda o: o["status"]["phase"] == "Failed")
    assert condition(good, "Ready") == "False" and state(good)["state"]["terminated"]["exitCode"] == 0
    assert state(bad)["state"]["terminated"]["exitCode"] == 3
    assert state(bad)["state"]["terminated"]["message"] == "why\n"


async def test_a_crashing_container_is_restarted_and_then_waits(harness: Harness) -> None:
    found = await harness.run(
        pod("crash", container("main", "false")),
        lambda o: state(o).get("state", {}).get("waiting", {}).get("reason") == "CrashLoopBackOff",
    )
    status = state(found)
    assert status["restartCount"] == 1 and status["lastState"]["terminated"]["exitCode"] == 1
    uid = found["metadata"]["uid"]
    assert status["state"]["waiting"]["message"] == (
        f"back-off 10s restarting failed container=main pod=crash_default({uid})"
    )
    assert f"BackOff: Back-off restarting failed container main in pod crash_default({uid})" in await harness.events(
        "crash"
    )


@pytest.mark.parametrize(
    ("image", "policy", "reason"),
    [
        ("127.0.0.1:1/none:1", "IfNotPresent", "ImagePullBackOff"),
        ("127.0.0.1:1/none:1", "Never", "ErrImageNeverPull"),
        ("UPPER CASE", "Always", "InvalidImageName"),
    ],
)
async def test_images_that_are_not_there(harness: Harness, image: str, policy: str, reason: str) -> None:
    bad = container(image=image, imagePullPolicy=policy)
    found = await harness.run(
        pod("image", bad), lambda o: state(o).get("state", {}).get("waiting", {}).get("reason") == reason
    )
    assert found["status"]["phase"] == "Pending" and found["status"]["podIP"]


async def test_an_agent_that_is_killed_finds_its_pods_again(harness: Harness) -> None:
    kept = await harness.run(pod("kept"))
    await harness.run(pod("lost"))
    harness.task.cancel()
    await asyncio.gather(harness.task, return_exceptions=True)
    lost = await harness.get("lost")
    assert lost is not None
    await harness.cluster.delete(PODS, "lost", "default")
    await harness.restart()
    again = await harness.run(pod("fresh"))
    assert again["status"]["phase"] == "Running"
    same = await harness.get("kept")
    assert same is not None
    assert state(same)["containerID"] == state(kept)["containerID"] and state(same)["restartCount"] == 0

    async def swept() -> bool:
        return not any(key.name == "lost" for key in await harness.kubelet.node.runtime.pods())

    await eventually(swept, 25)


async def test_a_container_whose_process_dies_comes_back(harness: Harness) -> None:
    await harness.run(pod("dies", container("main", "sh", "-c", "trap 'exit 1' TERM; sleep 1000 & wait")))
    worker = harness.kubelet.agent.find("default", "dies")
    assert worker is not None
    await harness.kubelet.node.runtime.exec_sync(worker.record.containers[0].id, ("kill", "-TERM", "1"), 5)
    found = await harness.wait("dies", lambda o: state(o)["restartCount"] == 1 and state(o)["ready"])
    assert state(found)["lastState"]["terminated"]["exitCode"] == 1


async def test_hooks_and_grace(harness: Harness) -> None:
    main = container(
        "main", "sh", "-c", "trap 'echo term >>/out/log; exit 0' TERM; while :; do sleep 0.05; done",
        lifecycle={
            "postStart": {"exec": {"command": ["sh", "-c", "echo start >/out/log"]}},
            "preStop": {"exec": {"command": ["sh", "-c", "echo stop >>/out/log"]}},
        },
        volumeMounts=[{"name": "out", "mountPath": "/out"}],
    )  # fmt: skip
    out = harness.config.root_dir / "out"
    await harness.run(
        pod("hooks", main, volumes=[{"name": "out", "hostPath": {"path": str(out), "type": "DirectoryOrCreate"}}])
    )
    await harness.delete("hooks", grace=5)
    assert (out / "log").read_text() == "start\nstop\nterm\n"


async def test_sidecars_serve_and_end_with_the_pod(harness: Harness) -> None:
    side = container("side", "sleep", "1000", restartPolicy="Always")
    found = await harness.run(
        pod("job", container("main", "sleep", "0.3"), initContainers=[side], restartPolicy="Never"),
        lambda o: o["status"]["phase"] == "Succeeded",
    )
    assert state(found)["state"]["terminated"]["exitCode"] == 0
    assert state(found, "side", "initContainerStatuses")["state"].get("terminated")


async def test_host_network_and_resources(harness: Harness) -> None:
    main = container(resources={"requests": {"cpu": "100m"}, "limits": {"cpu": "200m", "memory": "64Mi"}})
    found = await harness.run(pod("host", main, hostNetwork=True, dnsPolicy="Default"))
    assert found["status"]["podIP"] == harness.node.address and found["status"]["qosClass"] == "Burstable"
    hosts = await harness.output("host", "cat", "/etc/hosts")
    assert hosts.startswith("# Kubernetes-managed hosts file (host network).\n")
    uid = found["metadata"]["uid"]
    group = Path(f"/sys/fs/cgroup/memory{harness.node.cgroup_root}/kubepods/burstable/pod{uid}")
    if group.exists():
        assert (group / "memory.limit_in_bytes").read_text().strip() == str(64 << 20)


async def test_a_deadline_ends_a_pod(harness: Harness) -> None:
    found = await harness.run(
        pod("late", activeDeadlineSeconds=1), lambda o: o["status"]["phase"] == "Failed", timeout=10
    )
    assert found["status"]["reason"] == "DeadlineExceeded"


async def test_an_image_without_a_tag_is_known(harness: Harness) -> None:
    assert BUSYBOX.endswith(":latest")
    await harness.run(pod("plain", container(image="busybox")))
