"""The walk of the README, with the unmodified kubectl and curl."""

import os
import re
import subprocess
from collections import Counter

import pytest
from tests.e2e.lab import Lab, call, until
from tests.e2e.manifests import CLIENT, WEB

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]


@pytest.fixture
def web(lab: Lab, namespace: str) -> str:
    lab.apply(WEB, namespace)
    lab.apply(CLIENT, namespace)
    lab.kubectl("rollout", "status", "-n", namespace, "deployment/web", "--timeout=60s")
    lab.kubectl("wait", "-n", namespace, "--for=condition=Ready", "pod/client", "--timeout=60s")
    return namespace


def _names(lab: Lab, namespace: str) -> list[str]:
    pods = lab.get("pods", "-n", namespace, "-l", "app=web")["items"]
    return sorted(p["metadata"]["name"] for p in pods if "deletionTimestamp" not in p["metadata"])


def _ask(lab: Lab, namespace: str, url: str = "http://web", times: int = 30) -> Counter[str]:
    script = f"for i in $(seq {times}); do curl -s -m 2 {url} || echo failed; done"
    return Counter(lab.kubectl("exec", "-n", namespace, "client", "--", "sh", "-c", script).splitlines())


def test_three_nodes_are_ready(lab: Lab) -> None:
    rows = [line.split() for line in lab.kubectl("get", "nodes", "--no-headers").splitlines()]
    assert [(row[0], row[1]) for row in rows] == [("node1", "Ready"), ("node2", "Ready"), ("node3", "Ready")]
    ranges = {n["metadata"]["name"]: n["spec"]["podCIDR"] for n in lab.get("nodes")["items"]}
    assert ranges == {f"node{n}": f"10.244.{n}.0/24" for n in (1, 2, 3)}


def test_web_answers_from_three_nodes(lab: Lab, web: str) -> None:
    wide = lab.kubectl("get", "pods", "-n", web, "-l", "app=web", "-o", "wide", "--no-headers")
    assert set(re.findall(r"\bnode\d\b", wide)) == {"node1", "node2", "node3"}
    answers = _ask(lab, web)
    assert set(answers) == {f"{name} one" for name in _names(lab, web)}
    port = lab.get("service", "web", "-n", web)["spec"]["ports"][0]["nodePort"]
    assert 30000 <= port <= 32767
    for node in ("node1", "node2", "node3"):
        done = call("curl", "-s", "-m", "3", f"http://{lab.node_address(node)}:{port}")
        assert done.out.strip() in answers, done


def test_scale_rollout_undo_and_deleted_pod(lab: Lab, web: str) -> None:
    lab.kubectl("scale", "-n", web, "deployment/web", "--replicas=5")
    lab.kubectl("rollout", "status", "-n", web, "deployment/web", "--timeout=60s")
    until(lambda: len(_ask(lab, web, times=40)) == 5, "five pods answer")
    lab.kubectl("scale", "-n", web, "deployment/web", "--replicas=3")
    until(lambda: len(_names(lab, web)) == 3, "two pods go")

    lab.kubectl("set", "env", "-n", web, "deployment/web", "VERSION=two")
    lab.kubectl("rollout", "status", "-n", web, "deployment/web", "--timeout=60s")
    until(lambda: all(line.endswith(" two") for line in _ask(lab, web)), "the new version answers")
    history = lab.kubectl("rollout", "history", "-n", web, "deployment/web")
    assert re.search(r"^1\b", history, re.M) and re.search(r"^2\b", history, re.M)
    lab.kubectl("rollout", "undo", "-n", web, "deployment/web")
    lab.kubectl("rollout", "status", "-n", web, "deployment/web", "--timeout=60s")
    until(lambda: all(line.endswith(" one") for line in _ask(lab, web)), "the old version is back")

    pods = lab.get("pods", "-n", web, "-l", "app=web")["items"]
    gone = next(pod for pod in pods if "deletionTimestamp" not in pod["metadata"])
    lab.kubectl("delete", "pod", "-n", web, gone["metadata"]["name"])
    lab.kubectl("rollout", "status", "-n", web, "deployment/web", "--timeout=60s")
    answers = until(lambda: (a := _ask(lab, web)) and len(a) == 3 and a, "three pods answer again")
    assert f"{gone['metadata']['name']} one" not in answers
    assert "failed" not in answers


def test_looking_at_things(lab: Lab, web: str) -> None:
    pod = _names(lab, web)[0]
    _ask(lab, web, times=6)
    assert "GET / HTTP/1.1" in lab.kubectl("logs", "-n", web, "-l", "app=web", "--tail=50")
    description = lab.kubectl("describe", "pod", "-n", web, pod)
    for words in ("Successfully assigned", "Pulling image", "Container started", "kube-api-access-", "QoS Class:"):
        assert words in description
    assert "Endpoints:" in lab.kubectl("describe", "service", "-n", web, "web")
    assert "podIP: 10.244." in lab.kubectl("get", "pod", "-n", web, pod, "-o", "yaml")
    template = "{{range .items}}{{.metadata.name}} {{end}}"
    assert pod in lab.kubectl("get", "pods", "-n", web, "-o", f"go-template={template}")
    assert "ContainerPort" in lab.kubectl("explain", "pods.spec.containers.ports")
    watch = call(
        "timeout", "2", "kubectl", "get", "pods", "-n", web, "-w", env={"KUBECONFIG": lab.kubeconfig}
    )  # fmt: skip
    assert pod in watch.out


def test_exec_copy_and_forward(lab: Lab, web: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    pod = _names(lab, web)[0]
    echoed = lab.kubectl("exec", "-i", "-n", web, "client", "--", "cat", stdin="to and fro\n")
    assert echoed == "to and fro\n"
    failed = lab.try_kubectl("exec", "-n", web, "client", "--", "sh", "-c", "echo oh >&2; exit 7")
    assert failed.code == 7 and "oh" in failed.err
    on_terminal = subprocess.run(
        ["script", "-qec", f"kubectl exec -it -n {web} client -- sh -c 'tty; stty size'", "/dev/null"],
        capture_output=True, text=True, timeout=30, check=False,
        env={**os.environ, "KUBECONFIG": lab.kubeconfig, "TERM": "xterm"},
    )  # fmt: skip
    assert "/dev/pts/" in on_terminal.stdout, on_terminal

    folder = tmp_path_factory.mktemp("copy")
    (folder / "file").write_bytes(bytes(range(256)) * 500)
    lab.kubectl("cp", "-n", web, str(folder / "file"), "client:/tmp/file")
    lab.kubectl("cp", "-n", web, "client:/tmp/file", str(folder / "back"))
    assert (folder / "back").read_bytes() == (folder / "file").read_bytes()

    with subprocess.Popen(
        ["kubectl", "port-forward", "-n", web, f"pod/{pod}", ":80"],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        env={**os.environ, "KUBECONFIG": lab.kubeconfig},
    ) as forward:  # fmt: skip
        try:
            assert forward.stdout
            line = forward.stdout.readline()
            port = re.search(r"127\.0\.0\.1:(\d+)", line)
            assert port, line
            for _ in range(3):
                assert call("curl", "-s", "-m", "5", f"http://127.0.0.1:{port[1]}").out.strip() == f"{pod} one"
        finally:
            forward.terminate()


def test_run_expose_create_edit_label_delete(lab: Lab, namespace: str) -> None:
    def run(*arguments: str) -> str:
        return lab.kubectl(*arguments, "-n", namespace)

    assert run("run", "one", "--image=nginx", "--port=80") == "pod/one created\n"
    run("wait", "--for=condition=Ready", "pod/one", "--timeout=60s")
    assert run("expose", "pod", "one", "--name=svc") == "service/svc exposed\n"
    assert run("create", "deployment", "made", "--image=nginx", "--replicas=2") == "deployment.apps/made created\n"
    run("create", "configmap", "settings", "--from-literal=a=b")
    run("create", "secret", "generic", "hidden", "--from-literal=c=d")
    run("create", "service", "clusterip", "other", "--tcp=80:80")
    run("create", "serviceaccount", "robot")
    run("create", "role", "reader", "--verb=get,list", "--resource=pods")
    run("create", "rolebinding", "reads", "--role=reader", f"--serviceaccount={namespace}:robot")
    robot = f"system:serviceaccount:{namespace}:robot"
    assert run("auth", "can-i", "list", "pods", f"--as={robot}").strip() == "yes"
    assert lab.try_kubectl("auth", "can-i", "delete", "pods", "-n", namespace, f"--as={robot}").out.strip() == "no"
    assert len(run("create", "token", "robot").strip().split(".")) == 3
    edited = call(
        "kubectl", "edit", "configmap", "settings", "-n", namespace,
        env={"KUBECONFIG": lab.kubeconfig, "KUBE_EDITOR": "sed -i 's/a: b/a: changed/'"},
    )  # fmt: skip
    assert edited.code == 0, edited
    assert lab.get("configmap", "settings", "-n", namespace)["data"] == {"a": "changed"}
    run("label", "pod", "one", "colour=blue")
    assert "one" in run("get", "pods", "-l", "colour=blue")
    run("annotate", "pod", "one", "note=1")
    run("patch", "deployment", "made", "-p", '{"spec":{"replicas":1}}')
    run("rollout", "status", "deployment/made", "--timeout=60s")
    assert run("delete", "pod", "one", "--now") != ""
    assert lab.try_kubectl("get", "pod", "one", "-n", namespace).err.strip() == (
        'Error from server (NotFound): pods "one" not found'
    )
