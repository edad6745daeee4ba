"""Namespaces, garbage, daemon sets, endpoints and nodes against Weft's API server and the real one."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from tests.controllers.conftest import clients, eventually, managed
from tests.controllers.test_workloads import deployment, kubectl, play_kubelet
from tests.servers import Server

from weft.addresses import parse_prefixes
from weft.cluster.errors import NotFound
from weft.cluster.objects.resource import (
    CLUSTER_ROLES,
    CONFIGMAPS,
    DAEMON_SETS,
    DEPLOYMENTS,
    ENDPOINT_SLICES,
    ENDPOINTS,
    NAMESPACES,
    NODES,
    PODS,
    REPLICA_SETS,
    SERVICE_ACCOUNTS,
    SERVICES,
    Resource,
)
from weft.cluster.port import Cluster, Object
from weft.cluster.real import HttpCluster
from weft.controllers.catalog import CONTROLLERS
from weft.controllers.context import Context, Options
from weft.controllers.discovery import discover


def everything(cluster: HttpCluster, **options: Any) -> Context:
    return Context(cluster, Options(**options), lambda: discover(cluster))


async def count(cluster: Cluster, resource: Resource, namespace: str) -> int:
    return len((await cluster.list(resource, namespace, as_=dict)).items)


async def make_namespace(cluster: Cluster, name: str) -> None:
    await cluster.create(NAMESPACES, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})


async def make_node(cluster: Cluster, name: str, ready: str = "True") -> None:
    await cluster.create(NODES, {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}})
    status = {
        "conditions": [{"type": "Ready", "status": ready, "lastHeartbeatTime": "2026-01-01T00:00:00Z"}],
        "allocatable": {"cpu": "4", "memory": "8Gi", "pods": "110"},
    }
    await cluster.patch(NODES, name, {"status": status}, subresource="status")


async def remove_nodes(cluster: Cluster, *names: str) -> None:
    for name in names:
        await cluster.delete(NODES, name)


async def test_namespaces_have_their_basics_and_go_with_all_they_hold(server: Server, tmp_path: Path) -> None:
    authority = tmp_path / "ca.crt"
    authority.write_text("a certificate")
    async with clients(server) as (cluster, own):
        context = everything(own, root_ca_file=authority)
        names = (
            "namespace-controller",
            "serviceaccount-controller",
            "root-ca-certificate-publisher-controller",
            "deployment-controller",
            "replicaset-controller",
        )
        async with managed(context, *names):
            await make_namespace(cluster, "whole")

            async def has_basics() -> bool:
                accounts = await count(cluster, SERVICE_ACCOUNTS, "whole")
                return accounts == 1 == await count(cluster, CONFIGMAPS, "whole")

            await eventually(has_basics)
            published = await cluster.get(CONFIGMAPS, "kube-root-ca.crt", "whole", as_=dict)
            assert published["data"] == {"ca.crt": "a certificate"}
            await cluster.create(DEPLOYMENTS, deployment("web", "whole", 3), "whole")

            async def runs() -> bool:
                return await count(cluster, PODS, "whole") == 3

            await eventually(runs)
            await cluster.delete(NAMESPACES, "whole")

            async def gone() -> bool:
                try:
                    await cluster.get(NAMESPACES, "whole", as_=dict)
                except NotFound:
                    return True
                return False

            await eventually(gone, 20)


@pytest.mark.parametrize(("policy", "kept"), [("background", False), ("foreground", False), ("orphan", True)])
async def test_dependents_follow_their_owner(server: Server, policy: str, kept: bool) -> None:
    namespace = f"gc-{policy}"
    async with clients(server) as (cluster, own):
        await make_namespace(cluster, namespace)
        context = everything(own)
        names = (
            "deployment-controller",
            "replicaset-controller",
            "garbage-collector-controller",
            "serviceaccount-controller",
        )
        async with managed(context, *names):
            await asyncio.sleep(0.5)
            await cluster.create(DEPLOYMENTS, deployment("web", namespace, 2), namespace)

            async def runs() -> bool:
                return await count(cluster, PODS, namespace) == 2

            await eventually(runs)
            await kubectl(server.admin, "delete", "deployment", "web", "-n", namespace, f"--cascade={policy}")

            async def settled() -> bool:
                sets = (await cluster.list(REPLICA_SETS, namespace, as_=dict)).items
                if kept:
                    return len(sets) == 1 and not sets[0]["metadata"].get("ownerReferences")
                return not sets and await count(cluster, PODS, namespace) == 0

            await eventually(settled)
            assert await count(cluster, DEPLOYMENTS, namespace) == 0
            if kept:
                assert await runs()


async def test_daemon_pods_run_once_per_node_and_roll(server: Server) -> None:
    async with clients(server) as (cluster, own):
        await make_namespace(cluster, "daemons")
        for name in ("dn1", "dn2"):
            await make_node(cluster, name)
            await cluster.patch(NODES, name, {"spec": {"taints": None}})
        daemon = {
            **deployment("agent", "daemons", 1),
            "kind": "DaemonSet",
        }
        del daemon["spec"]["replicas"]
        context = everything(own)
        async with managed(context, "daemonset-controller", "serviceaccount-controller"):
            kubelet = asyncio.create_task(play_kubelet(cluster, "daemons"))
            await asyncio.sleep(0.3)
            await cluster.create(DAEMON_SETS, daemon, "daemons")
            status = ("rollout", "status", "daemonset/agent", "-n", "daemons", "--timeout=30s")
            assert "successfully rolled out" in await kubectl(server.admin, *status)
            assert await count(cluster, PODS, "daemons") == 2
            await kubectl(server.admin, "set", "image", "daemonset/agent", "web=web:2", "-n", "daemons")
            assert "successfully rolled out" in await kubectl(server.admin, *status)
            history = await kubectl(server.admin, "rollout", "history", "daemonset/agent", "-n", "daemons")
            assert [line.split()[0] for line in history.splitlines()[2:] if line] == ["1", "2"]
            await kubectl(server.admin, "rollout", "undo", "daemonset/agent", "-n", "daemons")
            assert "successfully rolled out" in await kubectl(server.admin, *status)
            found = await cluster.get(DAEMON_SETS, "agent", "daemons", as_=dict)
            assert found["spec"]["template"]["spec"]["containers"][0]["image"] == "web:1"
            await make_node(cluster, "dn3")
            await cluster.patch(NODES, "dn3", {"spec": {"taints": None}})

            async def three() -> bool:
                return await count(cluster, PODS, "daemons") == 3

            await eventually(three)
            kubelet.cancel()
        await remove_nodes(cluster, "dn1", "dn2", "dn3")


async def test_endpoints_follow_pods_and_hand_written_ones_are_mirrored(server: Server) -> None:
    async with clients(server) as (cluster, own):
        await make_namespace(cluster, "ends")
        await make_node(cluster, "en1")
        context = everything(own)
        names = (
            "endpoints-controller",
            "endpointslice-controller",
            "endpointslice-mirroring-controller",
            "serviceaccount-controller",
        )
        async with managed(context, *names):
            for name, selector in (("web", {"app": "web"}), ("db", None)):
                spec = {"selector": selector, "ports": [{"port": 80, "targetPort": 8080}]}
                service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": spec}
                await cluster.create(SERVICES, service, "ends")

            async def slices(service: str) -> list[Object]:
                found = await cluster.list(
                    ENDPOINT_SLICES, "ends", as_=dict, label_selector=f"kubernetes.io/service-name={service}"
                )
                return [endpoint for each in found.items for endpoint in each["endpoints"] or []]

            async def has_account() -> bool:
                return await count(cluster, SERVICE_ACCOUNTS, "ends") == 1

            await eventually(has_account)
            pod = {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {"name": "web-1", "labels": {"app": "web"}},
                "spec": {"nodeName": "en1", "containers": [{"name": "web", "image": "web"}]},
            }
            await cluster.create(PODS, pod, "ends")
            ready = {"type": "Ready", "status": "True"}
            status = {"phase": "Running", "podIPs": [{"ip": "10.0.0.7"}], "podIP": "10.0.0.7", "conditions": [ready]}
            await cluster.patch(PODS, "web-1", {"status": status}, "ends", subresource="status")

            async def serves() -> bool:
                found = await slices("web")
                return [e["addresses"] for e in found if e["conditions"]["ready"]] == [["10.0.0.7"]]

            await eventually(serves)

            async def legacy() -> bool:
                try:
                    found = await cluster.get(ENDPOINTS, "web", "ends", as_=dict)
                except NotFound:
                    return False
                return bool(found.get("subsets")) and found["subsets"][0]["addresses"][0]["ip"] == "10.0.0.7"

            await eventually(legacy)
            writes = (await cluster.get(ENDPOINTS, "web", "ends", as_=dict))["metadata"]["resourceVersion"]
            hand_made = {
                "apiVersion": "v1",
                "kind": "Endpoints",
                "metadata": {"name": "db"},
                "subsets": [{"addresses": [{"ip": "192.0.2.9"}], "ports": [{"port": 5432}]}],
            }
            await cluster.create(ENDPOINTS, hand_made, "ends")

            async def mirrored() -> bool:
                return [e["addresses"] for e in await slices("db")] == [["192.0.2.9"]]

            await eventually(mirrored)
            await asyncio.sleep(0.5)
            again = (await cluster.get(ENDPOINTS, "web", "ends", as_=dict))["metadata"]["resourceVersion"]
            assert again == writes, "nothing changed, so nothing is written"
            await cluster.delete(SERVICES, "web", "ends")

            async def forgotten() -> bool:
                names = [each["metadata"]["name"] for each in (await cluster.list(ENDPOINTS, "ends", as_=dict)).items]
                return "web" not in names

            await eventually(forgotten)
        await remove_nodes(cluster, "en1")


async def test_nodes_get_their_ranges_and_silent_ones_are_emptied(server: Server) -> None:
    async with clients(server) as (cluster, own):
        await make_namespace(cluster, "silent")
        context = everything(
            own,
            cluster_cidrs=parse_prefixes("10.244.0.0/16,fd00:10:244::/56"),
            service_cidrs=parse_prefixes("10.96.0.0/12"),
            node_monitor_grace=2.0,
        )
        names = ("node-ipam-controller", "node-lifecycle-controller", "taint-eviction-controller")
        async with managed(context, *names, "serviceaccount-controller"):
            for name in ("node2", "node7"):
                await make_node(cluster, name)

            async def given() -> bool:
                nodes = [await cluster.get(NODES, name, as_=dict) for name in ("node2", "node7")]
                return [node["spec"].get("podCIDRs") for node in nodes] == [
                    ["10.244.2.0/24", "fd00:10:244:2::/64"],
                    ["10.244.7.0/24", "fd00:10:244:7::/64"],
                ]

            await eventually(given)

            async def has_account() -> bool:
                return await count(cluster, SERVICE_ACCOUNTS, "silent") == 1

            await eventually(has_account)
            pod = {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {"name": "stuck"},
                "spec": {
                    "nodeName": "node7",
                    "containers": [{"name": "web", "image": "web"}],
                    "terminationGracePeriodSeconds": 0,
                    "tolerations": [
                        {
                            "key": "node.kubernetes.io/unreachable",
                            "effect": "NoExecute",
                            "operator": "Exists",
                            "tolerationSeconds": 1,
                        }
                    ],
                },
            }
            await cluster.create(PODS, pod, "silent")

            async def beat() -> None:
                for second in range(60):
                    stamp = f"2026-01-01T00:00:{second:02d}Z"
                    condition = {"type": "Ready", "status": "True", "lastHeartbeatTime": stamp}
                    await cluster.patch(
                        NODES, "node2", {"status": {"conditions": [condition]}}, type="strategic", subresource="status"
                    )
                    await asyncio.sleep(0.5)

            alive = asyncio.create_task(beat())

            async def evicted() -> bool:
                return await count(cluster, PODS, "silent") == 0

            await eventually(evicted, 25)
            silent = await cluster.get(NODES, "node7", as_=dict)
            ready = next(c for c in silent["status"]["conditions"] if c["type"] == "Ready")
            assert (ready["status"], ready["reason"]) == ("Unknown", "NodeStatusUnknown")
            assert ready["message"] == "Kubelet stopped posting node status."
            assert {(t["key"], t["effect"]) for t in silent["spec"]["taints"]} == {
                ("node.kubernetes.io/unreachable", "NoSchedule"),
                ("node.kubernetes.io/unreachable", "NoExecute"),
            }
            assert not (await cluster.get(NODES, "node2", as_=dict))["spec"].get("taints")
            alive.cancel()
        await remove_nodes(cluster, "node2", "node7")


async def test_aggregated_roles_gather_their_rules(server: Server) -> None:
    async with clients(server) as (cluster, own):
        async with managed(everything(own), "clusterrole-aggregation-controller"):
            rule = {"apiGroups": ["example.com"], "resources": ["things"], "verbs": ["get"]}
            labels = {"rbac.authorization.k8s.io/aggregate-to-view": "true"}
            role = {
                "apiVersion": "rbac.authorization.k8s.io/v1",
                "kind": "ClusterRole",
                "metadata": {"name": "things-viewer", "labels": labels},
                "rules": [rule],
            }
            await cluster.create(CLUSTER_ROLES, role)

            async def gathered() -> bool:
                return rule in ((await cluster.get(CLUSTER_ROLES, "view", as_=dict)).get("rules") or [])

            await eventually(gathered)


async def test_a_settled_cluster_is_not_written_to(server: Server) -> None:
    async with clients(server) as (cluster, own):
        await make_namespace(cluster, "calm")
        await make_node(cluster, "cn1")
        context = everything(own, cluster_cidrs=parse_prefixes("10.244.0.0/16"), node_monitor_grace=3600.0)
        async with managed(context, *CONTROLLERS):
            kubelet = asyncio.create_task(play_kubelet(cluster, "calm"))
            await eventually(lambda: exists(cluster, SERVICE_ACCOUNTS, "default", "calm"))
            daemon = {**deployment("agent", "calm", 1), "kind": "DaemonSet"}
            daemon["spec"] = {key: value for key, value in daemon["spec"].items() if key != "replicas"}
            await cluster.create(DAEMON_SETS, daemon, "calm")
            await cluster.create(DEPLOYMENTS, deployment("web", "calm", 3), "calm")
            spec = {"selector": {"app": "web"}, "ports": [{"port": 80}]}
            await cluster.create(
                SERVICES, {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"}, "spec": spec}, "calm"
            )
            await kubectl(server.admin, "rollout", "status", "deployment/web", "-n", "calm", "--timeout=30s")

            async def calm() -> bool:
                before = (await cluster.list(PODS, "calm", as_=dict)).resource_version
                await asyncio.sleep(1.5)
                return (await cluster.list(PODS, "calm", as_=dict)).resource_version == before

            await eventually(calm, 20)
            kubelet.cancel()
        await remove_nodes(cluster, "cn1")


async def exists(cluster: Cluster, resource: Resource, name: str, namespace: str) -> bool:
    try:
        await cluster.get(resource, name, namespace, as_=dict)
    except NotFound:
        return False
    return True
