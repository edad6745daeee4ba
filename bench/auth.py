"""What authentication and authorization cost per request: prints a table and writes bench/results/auth.json.

    .venv/bin/python bench/auth.py [--namespaces N]

The cluster has the roles of a new cluster and, per namespace, a role, a binding, a ServiceAccount and ten bound pods.
"cached" is what a client pays that comes again; "first" is what it pays after roles have changed, or with a new token.
"""

import argparse
import datetime
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.x509 import load_pem_x509_certificate

from weft.apiserver.auth import AccessControl, Attributes, User, bootstrap_objects, load_signing_key
from weft.apiserver.auth.tokens.claims import Binding, Reference
from weft.apiserver.kinds import KINDS
from weft.lab.pki.certificates import Leaf, issue, new_authority, new_key, private_pem

RESULTS = Path(__file__).parent / "results"
GROUP = "rbac.authorization.k8s.io"
KIND_OF = {kind.resource.kind: kind for kind in KINDS if kind.resource.kind != "Event"}
HEADERS = [("Host", "x"), ("Accept", "application/json"), ("User-Agent", "bench"), ("Accept-Encoding", "gzip")]


def per_call(act: Callable[[], Any], seconds: float = 0.3) -> float:
    """Microseconds; the best of five rounds."""
    best, count = float("inf"), 1
    for _ in range(5):
        elapsed = 0.0
        while elapsed < seconds / 5:
            begun = time.perf_counter()
            for _ in range(count):
                act()
            elapsed = time.perf_counter() - begun
            if elapsed < seconds / 5:
                count *= 2
        best = min(best, elapsed / count)
    return best * 1e6


def cluster(namespaces: int) -> AccessControl:
    control = AccessControl(load_signing_key(private_pem(new_key())))
    objects = bootstrap_objects()
    for number in range(namespaces):
        objects += _namespace(f"ns{number}")
    for obj in objects:
        control.applied(KIND_OF[obj["kind"]], None, obj)
    return control


def _namespace(name: str) -> list[dict[str, Any]]:
    rule = {"apiGroups": [""], "resources": ["pods", "services"], "verbs": ["get", "list", "watch"]}
    pods = [
        {
            "kind": "Pod",
            "metadata": {"name": f"web-{index}", "namespace": name, "uid": f"{name}-{index}"},
            "spec": {
                "nodeName": f"node{index % 3 + 1}",
                "serviceAccountName": "robot",
                "volumes": [{"name": "s", "secret": {"secretName": "tls"}}],
            },
        }
        for index in range(10)
    ]
    return [
        {"kind": "Role", "metadata": {"name": "reader", "namespace": name}, "rules": [rule]},
        {
            "kind": "RoleBinding",
            "metadata": {"name": "reader", "namespace": name},
            "roleRef": {"apiGroup": GROUP, "kind": "Role", "name": "reader"},
            "subjects": [{"kind": "ServiceAccount", "name": "robot"}],
        },
        {"kind": "ServiceAccount", "metadata": {"name": "robot", "namespace": name, "uid": f"{name}-robot"}},
        *pods,
    ]


def measure(namespaces: int) -> dict[str, float]:
    control = cluster(namespaces)
    authority = new_authority("ca", _now())
    pem = issue(authority, Leaf("system:kube-controller-manager"), _now()).certificate
    der = load_pem_x509_certificate(pem).public_bytes(serialization.Encoding.DER)
    binding = Binding("ns0", pod=Reference("web-0", "ns0-0"), serviceaccount=Reference("robot", "ns0-robot"))
    bearer = "Bearer " + control.tokens.issue(binding, control.tokens.audiences, 3600)
    listing = Attributes("list", "", "v1", "pods", namespace="ns0")
    node = User("system:node:node1", groups=("system:nodes", "system:authenticated"))
    secret = Attributes("get", "", "v1", "secrets", namespace="ns0", name="tls")
    names = iter(range(1 << 60))

    def request(certificate: bytes | None, authorization: str, attributes: Attributes) -> Callable[[], None]:
        def run() -> None:
            user = drive(control.authenticate(certificate, authorization))
            control.demand(control.impersonate(user, HEADERS), attributes)

        return run

    def after_a_change() -> None:
        control.authorizer.rbac.index.generation += 1
        control.authorize(node, listing)

    robot = User("system:serviceaccount:ns0:robot", groups=("system:serviceaccounts", "system:authenticated"))

    def robot_after_a_change() -> None:
        control.authorizer.rbac.index.generation += 1
        control.authorize(robot, listing)

    def new_name() -> None:
        control.authorize(robot, Attributes("get", "", "v1", "pods", "", "ns0", f"web-{next(names)}"))

    def new_token() -> None:
        control.tokens._verified.clear()
        drive(control.authenticate(None, bearer))

    return {
        "certificate + RBAC, cached": per_call(request(der, "", listing)),
        "token + RBAC, cached": per_call(request(None, bearer, listing)),
        "authorize, cached": per_call(lambda: control.authorize(robot, listing)),
        "authorize, another object's name": per_call(new_name),
        "authorize a node's secret": per_call(lambda: control.authorize(node, secret)),
        "authorize, first after a change of roles": per_call(robot_after_a_change),
        "authorize a node, first after a change of roles": per_call(after_a_change),
        "verify a token, first": per_call(new_token),
        "issue a token": per_call(lambda: control.tokens.issue(binding, control.tokens.audiences, 3600)),
        "bootstrap: declare and index all roles": per_call(lambda: cluster(0)),
    }


def drive(coroutine: Any) -> Any:
    """Runs a coroutine that never waits, without the event loop's share of the cost."""
    try:
        coroutine.send(None)
    except StopIteration as done:
        return done.value
    raise AssertionError("it waited")


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--namespaces", type=int, default=500)
    args = parser.parse_args()
    found = measure(args.namespaces)
    width = max(map(len, found))
    print(f"{args.namespaces} namespaces, {args.namespaces * 10} pods")
    for name, microseconds in found.items():
        print(f"{name:{width}}  {microseconds:9.1f} µs")
    RESULTS.mkdir(exist_ok=True)
    document = {"namespaces": args.namespaces, "microseconds": {name: round(value, 1) for name, value in found.items()}}
    (RESULTS / "auth.json").write_text(json.dumps(document, indent=2) + "\n")


if __name__ == "__main__":
    main()
