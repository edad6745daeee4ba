"""What a pod sees: its network, its neighbours, its files."""

import pytest
from tests.e2e.lab import Lab, until
from tests.e2e.manifests import CLIENT, HOSTS, PAIR, server

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]


def _ready(lab: Lab, namespace: str, *pods: str) -> None:
    for pod in pods:
        lab.kubectl("wait", "-n", namespace, "--for=condition=Ready", f"pod/{pod}", "--timeout=60s")


def _address(lab: Lab, namespace: str, pod: str) -> str:
    address: str = lab.get("pod", pod, "-n", namespace)["status"]["podIP"]
    return address


@pytest.mark.parametrize("node", ["node1", "node2"])
def test_source_address_is_kept(lab: Lab, namespace: str, node: str) -> None:
    lab.apply(CLIENT.replace("spec:", "spec:\n  nodeName: node1", 1), namespace)
    lab.apply(server("there", node), namespace)
    _ready(lab, namespace, "client", "there")
    target = _address(lab, namespace, "there")
    seen = lab.kubectl("exec", "-n", namespace, "client", "--", "curl", "-s", "-m", "3", f"http://{target}:8080")
    assert seen.strip().removeprefix("::ffff:") == _address(lab, namespace, "client")


def test_containers_of_a_pod_share_localhost(lab: Lab, namespace: str) -> None:
    lab.apply(PAIR, namespace)
    _ready(lab, namespace, "pair")
    ask = ("exec", "-n", namespace, "pair", "-c", "other", "--", "curl", "-s", "-o", "/dev/null", "-w", "%{http_code}")
    until(lambda: lab.try_kubectl(*ask, "http://localhost:8000").out == "200", "localhost answers")


def test_hosts_file_has_upstreams_layout(lab: Lab, namespace: str) -> None:
    lab.apply(HOSTS, namespace)
    lab.kubectl("wait", "-n", namespace, "--for=jsonpath={.status.phase}=Succeeded", "pod/hosts", "--timeout=60s")
    assert lab.kubectl("logs", "-n", namespace, "hosts") == (
        "# Kubernetes-managed hosts file.\n"
        "127.0.0.1\tlocalhost\n"
        "::1\tlocalhost ip6-localhost ip6-loopback\n"
        "fe00::0\tip6-localnet\n"
        "fe00::0\tip6-mcastprefix\n"
        "fe00::1\tip6-allnodes\n"
        "fe00::2\tip6-allrouters\n"
        f"{_address(lab, namespace, 'hosts')}\thosts\n"
        "\n"
        "# Entries added by HostAliases.\n"
        "127.0.0.1\tfoo.local\tbar.local\n"
        "10.1.2.3\tfoo.remote\tbar.remote\n"
    )


def test_names_resolve_as_the_dns_specification_says(lab: Lab, namespace: str) -> None:
    lab.apply(CLIENT, namespace)
    lab.apply(server("there", "node2"), namespace)
    lab.kubectl("expose", "pod", "there", "-n", namespace, "--port=80", "--target-port=8080")
    _ready(lab, namespace, "client", "there")
    service = lab.get("service", "there", "-n", namespace)["spec"]["clusterIP"]

    def dig(*arguments: str) -> str:
        return lab.kubectl("exec", "-n", namespace, "client", "--", "dig", "+short", "+search", *arguments).strip()

    for name in ("there", f"there.{namespace}", f"there.{namespace}.svc", f"there.{namespace}.svc.cluster.local"):
        assert dig(name) == service
    assert dig("-x", service) == f"there.{namespace}.svc.cluster.local."
    assert dig("kubernetes.default.svc.cluster.local") == "10.96.0.1"
    dashed = _address(lab, namespace, "there").replace(".", "-")
    assert dig(f"{dashed}.{namespace}.pod.cluster.local") == dashed.replace("-", ".")
    assert lab.kubectl("exec", "-n", namespace, "client", "--", "cat", "/etc/resolv.conf") == (
        f"search {namespace}.svc.cluster.local svc.cluster.local cluster.local\n"
        "nameserver 10.96.0.10\n"
        "options ndots:5\n"
    )
    curl = ("exec", "-n", namespace, "client", "--", "curl", "-s", "-m", "3", "http://there")
    assert lab.kubectl(*curl).strip().removeprefix("::ffff:") == _address(lab, namespace, "client")


def test_a_pod_speaks_to_the_api_server_as_its_service_account(lab: Lab, namespace: str) -> None:
    lab.apply(CLIENT, namespace)
    _ready(lab, namespace, "client")
    script = (
        "d=/var/run/secrets/kubernetes.io/serviceaccount;"
        'curl -s --cacert $d/ca.crt -H "Authorization: Bearer $(cat $d/token)"'
        " https://kubernetes.default.svc/api/v1/namespaces/$(cat $d/namespace)/pods"
    )
    answer = lab.kubectl("exec", "-n", namespace, "client", "--", "sh", "-c", script)
    assert f'User \\"system:serviceaccount:{namespace}:default\\" cannot list resource \\"pods\\"' in answer


def test_an_image_that_is_nowhere_says_why(lab: Lab, namespace: str) -> None:
    lab.kubectl("run", "none", "-n", namespace, "--image=nowhere.example/none:1")
    waiting = "{.status.containerStatuses[0].state.waiting.reason}"
    reasons = ("ErrImagePull", "ImagePullBackOff")
    until(
        lambda: lab.kubectl("get", "pod", "none", "-n", namespace, "-o", f"jsonpath={waiting}") in reasons,
        "ErrImagePull",
    )
    assert "cannot reach nowhere.example" in lab.kubectl("describe", "pod", "none", "-n", namespace)


def test_a_pod_that_fits_nowhere_says_why(lab: Lab, namespace: str) -> None:
    overrides = '{"spec":{"containers":[{"name":"big","image":"busybox","resources":{"requests":{"cpu":"1000"}}}]}}'
    lab.kubectl("run", "big", "-n", namespace, "--image=busybox", f"--overrides={overrides}")
    words = "0/3 nodes are available: 3 Insufficient cpu."
    until(lambda: words in lab.kubectl("describe", "pod", "big", "-n", namespace), "the scheduler's words")
