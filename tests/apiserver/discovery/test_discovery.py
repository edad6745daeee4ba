"""Compared with what kube-apiserver 1.36.3 answers for the same kinds."""

from weft.apiserver.discovery import (
    accepted_version,
    api_group,
    api_group_discovery_list,
    api_group_list,
    api_resource_list,
    api_versions,
    content_type,
)
from weft.apiserver.kinds import KINDS, REVIEWS

ALL = KINDS + REVIEWS


def test_api() -> None:
    assert api_versions("172.30.1.2:6443") == {
        "kind": "APIVersions",
        "versions": ["v1"],
        "serverAddressByClientCIDRs": [{"clientCIDR": "0.0.0.0/0", "serverAddress": "172.30.1.2:6443"}],
    }


def test_groups() -> None:
    names = [group["name"] for group in api_group_list(ALL)["groups"]]
    assert names == [
        "events.k8s.io",
        "discovery.k8s.io",
        "coordination.k8s.io",
        "apps",
        "rbac.authorization.k8s.io",
        "networking.k8s.io",
        "authentication.k8s.io",
        "authorization.k8s.io",
    ]
    assert api_group(ALL, "apps") == {
        "kind": "APIGroup",
        "apiVersion": "v1",
        "name": "apps",
        "versions": [{"groupVersion": "apps/v1", "version": "v1"}],
        "preferredVersion": {"groupVersion": "apps/v1", "version": "v1"},
    }
    assert api_group(ALL, "nothing.example") is None
    assert api_group(ALL, "") is None


def test_resources() -> None:
    found = api_resource_list(ALL, "apps", "v1")
    assert found is not None
    assert found["groupVersion"] == "apps/v1"
    assert [entry["name"] for entry in found["resources"]] == [
        "controllerrevisions",
        "daemonsets",
        "daemonsets/status",
        "deployments",
        "deployments/scale",
        "deployments/status",
        "replicasets",
        "replicasets/scale",
        "replicasets/status",
    ]
    assert found["resources"][4] == {
        "name": "deployments/scale",
        "singularName": "",
        "namespaced": True,
        "group": "autoscaling",
        "version": "v1",
        "kind": "Scale",
        "verbs": ["get", "patch", "update"],
    }
    core = api_resource_list(ALL, "", "v1")
    assert core is not None
    namespaces = next(entry for entry in core["resources"] if entry["name"] == "namespaces")
    assert namespaces == {
        "name": "namespaces",
        "singularName": "namespace",
        "namespaced": False,
        "kind": "Namespace",
        "verbs": ["create", "delete", "get", "list", "patch", "update", "watch"],
        "shortNames": ["ns"],
    }
    assert api_resource_list(ALL, "apps", "v2") is None


def test_aggregated() -> None:
    core = api_group_discovery_list(ALL, "/api", "v2")
    assert core["apiVersion"] == "apidiscovery.k8s.io/v2"
    (item,) = core["items"]
    assert item["metadata"] == {}
    (version,) = item["versions"]
    accounts = next(entry for entry in version["resources"] if entry["resource"] == "serviceaccounts")
    assert accounts == {
        "resource": "serviceaccounts",
        "responseKind": {"group": "", "version": "", "kind": "ServiceAccount"},
        "scope": "Namespaced",
        "singularResource": "serviceaccount",
        "verbs": ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"],
        "shortNames": ["sa"],
        "subresources": [
            {
                "subresource": "token",
                "responseKind": {"group": "authentication.k8s.io", "version": "v1", "kind": "TokenRequest"},
                "verbs": ["create"],
            }
        ],
    }
    others = api_group_discovery_list(ALL, "/apis", "v2beta1")
    assert others["apiVersion"] == "apidiscovery.k8s.io/v2beta1"
    assert "" not in [item["metadata"].get("name", "") for item in others["items"]]


def test_negotiation() -> None:
    assert accepted_version(f"{content_type('v2')},{content_type('v2beta1')},application/json") == "v2"
    assert accepted_version(f"{content_type('v2beta1')},application/json") == "v2beta1"
    assert accepted_version("application/json, */*") is None
    assert accepted_version("") is None
