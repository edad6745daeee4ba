from typing import Any

from weft.cluster.port import Object
from weft.controllers.endpoints import mirror
from weft.controllers.endpoints.model import families, groups, port_key, ports_of
from weft.controllers.endpoints.subsets import endpoints_of, subsets_of, truncated

NODES = {"node1": "a", "node2": ""}


def pod(number: int, *, ready: bool = True, **changes: Any) -> Object:
    made: Object = {
        "metadata": {"name": f"web-{number}", "namespace": "shop", "uid": f"u{number}", "labels": {"app": "web"}},
        "spec": {
            "nodeName": "node1",
            "containers": [{"name": "web", "ports": [{"name": "http", "containerPort": 8000 + number}]}],
        },
        "status": {
            "phase": "Running",
            "podIPs": [{"ip": f"10.0.0.{number}"}, {"ip": f"fd00::{number}"}],
            "conditions": [{"type": "Ready", "status": str(ready)}],
        },
    }
    for name, value in changes.items():
        made[name] = {**made[name], **value}
    return made


def service(**spec: Any) -> Object:
    return {
        "metadata": {"name": "web", "namespace": "shop", "uid": "s", "labels": {"tier": "front"}},
        "spec": {
            "selector": {"app": "web"},
            "clusterIP": "10.96.0.7",
            "ipFamilies": ["IPv4"],
            "ports": [{"port": 80, "targetPort": 8080, "protocol": "TCP"}],
            **spec,
        },
    }


def test_conditions_of_an_endpoint() -> None:
    leaving = pod(3, metadata={"deletionTimestamp": "2026-01-01T00:00:00Z"})
    (group,) = groups(service(), [pod(1), pod(2, ready=False), leaving], NODES, "IPv4").values()
    told = [tuple(e["conditions"].values()) for e in group.endpoints.values()]
    assert told == [(True, True, False), (False, False, False), (False, True, True)]
    (published,) = groups(service(publishNotReadyAddresses=True), [pod(2, ready=False)], NODES, "IPv4").values()
    assert next(iter(published.endpoints.values()))["conditions"]["ready"] is True


def test_an_endpoint_names_its_pod_node_zone_and_hostname() -> None:
    named = pod(1, spec={"hostname": "one", "subdomain": "web"})
    (group,) = groups(service(trafficDistribution="PreferSameNode"), [named], NODES, "IPv6").values()
    assert list(group.endpoints.values()) == [
        {
            "addresses": ["fd00::1"],
            "conditions": {"ready": True, "serving": True, "terminating": False},
            "hostname": "one",
            "targetRef": {"kind": "Pod", "namespace": "shop", "name": "web-1", "uid": "u1"},
            "nodeName": "node1",
            "zone": "a",
            "hints": {"forZones": [{"name": "a"}], "forNodes": [{"name": "node1"}]},
        }
    ]


def test_named_ports_may_differ_per_pod() -> None:
    named = service(ports=[{"name": "web", "port": 80, "targetPort": "http", "protocol": "TCP"}])
    assert len(groups(named, [pod(1), pod(2)], NODES, "IPv4")) == 2
    assert ports_of(service(ports=[{"port": 80, "targetPort": "absent"}]), pod(1)) == []


def test_pods_without_node_address_or_life_are_left_out() -> None:
    lost = pod(1, spec={"nodeName": "gone"})
    finished = pod(2, status={"phase": "Succeeded"})
    waiting = pod(3, status={"podIPs": []})
    assert not any(group.endpoints for group in groups(service(), [lost, finished, waiting], NODES, "IPv4").values())


def test_families() -> None:
    assert families(service()) == ("IPv4",)
    assert families(service(ipFamilies=None, clusterIP="fd00::1")) == ("IPv6",)
    assert families(service(ipFamilies=None, clusterIP="None")) == ("IPv4", "IPv6")


def test_legacy_subsets() -> None:
    made = endpoints_of(service(), [pod(10), pod(9), pod(3, ready=False)], None)
    (subset,) = made["subsets"]
    assert [entry["ip"] for entry in subset["addresses"]] == ["10.0.0.9", "10.0.0.10"]
    assert [entry["ip"] for entry in subset["notReadyAddresses"]] == ["10.0.0.3"]
    assert subset["ports"] == [{"protocol": "TCP", "port": 8080}]
    assert made["metadata"]["labels"] == {"tier": "front", "endpoints.kubernetes.io/managed-by": "endpoint-controller"}
    assert endpoints_of(service(), [pod(3, ready=False), pod(10), pod(9)], made) == made
    assert subsets_of(service(), [pod(1, metadata={"deletionTimestamp": "x"})]) == []


def test_too_many_addresses_are_cut_ready_ones_last() -> None:
    many = [{"addresses": [{"ip": str(n)} for n in range(8)], "notReadyAddresses": [{"ip": "x"}] * 5}]
    cut, was = truncated(many, 10)
    assert was
    assert (len(cut[0]["addresses"]), len(cut[0]["notReadyAddresses"])) == (8, 2)


def test_hand_written_endpoints_are_mirrored_by_family() -> None:
    written: Object = {
        "metadata": {"name": "db", "namespace": "shop", "uid": "e"},
        "subsets": [{"addresses": [{"ip": "192.0.2.1"}, {"ip": "fd00::1"}], "ports": [{"port": 5432}]}],
    }
    plain: Object = {"metadata": {"name": "db"}, "spec": {}}
    assert mirror.is_mirrored(written, plain)
    assert not mirror.is_mirrored(written, service())
    skipped = {**written, "metadata": {"labels": {"endpointslice.kubernetes.io/skip-mirror": "true"}}}
    assert not mirror.is_mirrored(skipped, plain)
    made = mirror.groups(written)
    key = port_key([{"port": 5432}])
    assert [e["addresses"] for e in made["IPv4"][key].endpoints.values()] == [["192.0.2.1"]]
    assert [e["addresses"] for e in made["IPv6"][key].endpoints.values()] == [["fd00::1"]]
