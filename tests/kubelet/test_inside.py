"""What a container finds: volumes, environment, /etc/hosts, /etc/resolv.conf; and how it is probed."""

import base64
import os
from typing import Any

import pytest

from weft.cluster.objects.resource import CONFIGMAPS, SECRETS, SERVICES

from .harness import Harness, condition, container, eventually, pod, state

pytestmark = pytest.mark.root


def put_objects(harness: Harness) -> None:
    meta = {"name": "settings", "namespace": "default"}
    harness.cluster.put(CONFIGMAPS, {"metadata": meta, "data": {"colour": "blue", "size": "9"}})
    secret = {"password": base64.b64encode(b"s3cret").decode()}
    harness.cluster.put(SECRETS, {"metadata": {**meta, "name": "keys"}, "data": secret})
    spec = {"clusterIP": "10.96.0.1", "ports": [{"name": "https", "port": 443, "protocol": "TCP"}]}
    harness.cluster.put(SERVICES, {"metadata": {"name": "kubernetes", "namespace": "default"}, "spec": spec})


def mount(name: str, path: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "mountPath": path, **more}


async def test_volumes_and_their_updates(harness: Harness) -> None:
    put_objects(harness)
    main = container(
        volumeMounts=[
            mount("map", "/map"), mount("secret", "/secret", readOnly=True), mount("all", "/all"), mount("tmp", "/tmp"),
            mount("map", "/one", subPath="colour"), mount("mem", "/mem"),
        ],
    )  # fmt: skip
    volumes = [
        {"name": "map", "configMap": {"name": "settings", "items": [{"key": "colour", "path": "colour"}]}},
        {"name": "secret", "secret": {"secretName": "keys", "defaultMode": 0o400}},
        {"name": "tmp", "emptyDir": {}},
        {"name": "mem", "emptyDir": {"medium": "Memory", "sizeLimit": "1Mi"}},
        {
            "name": "all",
            "projected": {
                "sources": [
                    {"configMap": {"name": "settings"}},
                    {"downwardAPI": {"items": [{"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}}]}},
                    {"secret": {"name": "missing", "optional": True}},
                ]
            },
        },
    ]
    await harness.run(pod("files", main, volumes=volumes, securityContext={"fsGroup": 2000}))
    assert await harness.output("files", "cat", "/map/colour") == "blue"
    assert await harness.output("files", "cat", "/secret/password") == "s3cret"
    assert await harness.output("files", "stat", "-Lc", "%a %g", "/secret/password") == "440 2000\n"
    assert await harness.output("files", "ls", "/all") == "colour\nlabels\nsize\n"
    assert await harness.output("files", "cat", "/all/labels") == 'app="files"'
    assert "tmpfs" in await harness.output("files", "df", "-T", "/mem")
    assert "1024" in await harness.output("files", "df", "-k", "/mem")
    assert await harness.output("files", "stat", "-c", "%a %g", "/tmp") == "2777 2000\n"
    assert await harness.output("files", "readlink", "/map/colour") == "..data/colour\n"
    meta = {"name": "settings", "namespace": "default"}
    harness.cluster.put(CONFIGMAPS, {"metadata": meta, "data": {"colour": "red", "size": "9"}})

    async def updated() -> bool:
        return await harness.output("files", "cat", "/map/colour") == "red"

    await eventually(updated)
    assert await harness.output("files", "cat", "/one") == "blue"  # a subPath stays what it was


async def test_a_missing_config_map_is_waited_for(harness: Harness) -> None:
    volumes = [{"name": "map", "configMap": {"name": "settings"}}]
    main = container(volumeMounts=[mount("map", "/map")])
    harness.cluster.put(*_pods(pod("waits", main, volumes=volumes)))
    text = 'FailedMount: MountVolume.SetUp failed for volume "map" : configmap "settings" not found'

    async def told() -> bool:
        return text in await harness.events("waits")

    await eventually(told)
    found = await harness.get("waits")
    assert found is not None and state(found)["state"]["waiting"]["reason"] == "ContainerCreating"
    put_objects(harness)
    await harness.wait("waits", lambda o: condition(o, "Ready") == "True")


def _pods(obj: dict[str, Any]) -> Any:
    from weft.cluster.objects.resource import PODS

    return PODS, obj


async def test_environment(harness: Harness) -> None:
    put_objects(harness)
    field = {"fieldRef": {"fieldPath": "status.podIP"}}
    main = container(
        command=["sh", "-c", "exec sleep $(LONG)"],
        env=[
            {"name": "WHO", "value": "me"},
            {"name": "LONG", "value": "1000"},
            {"name": "BOTH", "value": "$(WHO)-$(NOBODY)-$$(WHO)"},
            {"name": "IP", "valueFrom": field},
            {"name": "NODE", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}},
            {"name": "PASS", "valueFrom": {"secretKeyRef": {"name": "keys", "key": "password"}}},
            {"name": "NONE", "valueFrom": {"configMapKeyRef": {"name": "settings", "key": "no", "optional": True}}},
            {"name": "CPU", "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu", "divisor": "1m"}}},
        ],
        envFrom=[{"prefix": "S_", "configMapRef": {"name": "settings"}}],
        resources={"limits": {"cpu": "250m"}},
    )
    found = await harness.run(pod("env", main))
    seen = dict(line.split("=", 1) for line in (await harness.output("env", "env")).splitlines())
    assert seen["BOTH"] == "me-$(NOBODY)-$(WHO)" and seen["PASS"] == "s3cret" and "NONE" not in seen
    assert seen["IP"] == found["status"]["podIP"] and seen["NODE"] == "n1" and seen["CPU"] == "250"
    assert seen["S_colour"] == "blue" and seen["S_size"] == "9"
    assert seen["KUBERNETES_SERVICE_HOST"] == "10.96.0.1" and seen["KUBERNETES_SERVICE_PORT_HTTPS"] == "443"
    assert seen["KUBERNETES_PORT_443_TCP"] == "tcp://10.96.0.1:443"
    assert seen["HOSTNAME"] == "env"


async def test_a_missing_key_is_told(harness: Harness) -> None:
    bad = container(env=[{"name": "X", "valueFrom": {"secretKeyRef": {"name": "nobody", "key": "x"}}}])
    found = await harness.run(pod("bad", bad), lambda o: state(o).get("state", {}).get("waiting", {}).get("message"))
    assert state(found)["state"]["waiting"] == {
        "reason": "CreateContainerConfigError",
        "message": 'secret "nobody" not found',
    }


async def test_hosts_and_resolver(harness: Harness) -> None:
    found = await harness.run(
        pod(
            "names",
            hostname="web-0",
            subdomain="web",
            hostAliases=[{"ip": "127.0.0.1", "hostnames": ["foo.local", "bar.local"]}],
            dnsConfig={"options": [{"name": "edns0"}], "searches": ["my.example"]},
        )
    )
    address = found["status"]["podIP"]
    assert await harness.output("names", "cat", "/etc/hosts") == (
        "# Kubernetes-managed hosts file.\n127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n"
        "fe00::0\tip6-localnet\nfe00::0\tip6-mcastprefix\nfe00::1\tip6-allnodes\nfe00::2\tip6-allrouters\n"
        f"{address}\tweb-0.web.default.svc.cluster.local\tweb-0\n"
        "\n# Entries added by HostAliases.\n127.0.0.1\tfoo.local\tbar.local\n"
    )
    resolver = await harness.output("names", "cat", "/etc/resolv.conf")
    lines = resolver.splitlines()
    assert lines[0].startswith("search default.svc.cluster.local svc.cluster.local cluster.local")
    assert lines[0].endswith("my.example") and "nameserver 10.96.0.10" in lines and "options ndots:5 edns0" in lines
    assert await harness.output("names", "hostname") == "web-0\n"


async def test_readiness_comes_and_goes(harness: Harness) -> None:
    probe = {"exec": {"command": ["test", "-e", "/tmp/ok"]}, "periodSeconds": 1, "failureThreshold": 1}
    await harness.run(pod("probe", container(readinessProbe=probe)), lambda o: o["status"]["phase"] == "Running")
    await harness.output("probe", "touch", "/tmp/ok")
    await harness.wait("probe", lambda o: condition(o, "Ready") == "True")
    await harness.output("probe", "rm", "/tmp/ok")
    await harness.wait("probe", lambda o: condition(o, "Ready") == "False")
    assert any(e.startswith("Unhealthy: Readiness probe failed") for e in await harness.events("probe"))


async def test_a_failed_liveness_probe_restarts(harness: Harness) -> None:
    probe = {"tcpSocket": {"port": 9}, "periodSeconds": 1, "failureThreshold": 1, "initialDelaySeconds": 1}
    found = await harness.run(
        pod("sick", container(livenessProbe=probe)), lambda o: state(o).get("restartCount") == 1, timeout=25
    )
    assert state(found)["lastState"]["terminated"]["exitCode"] in (137, 143)
    events = await harness.events("sick")
    assert "Killing: Container main failed liveness probe, will be restarted" in events


async def test_a_server_that_listens_late_is_ready_at_once(harness: Harness) -> None:
    probe = {"httpGet": {"port": "web", "path": "/", "httpHeaders": [{"name": "X", "value": "y"}]}, "periodSeconds": 10}
    script = "mkdir /w; echo hi >/w/index.html; sleep 0.3; httpd -f -p 8080 -h /w"
    main = container(
        "main", "sh", "-c", script, readinessProbe=probe, ports=[{"containerPort": 8080, "name": "web"}],
        startupProbe={"tcpSocket": {"port": 8080}},
    )  # fmt: skip
    found = await harness.run(pod("late", main), timeout=6)
    assert state(found)["started"] and not any("Unhealthy" in e for e in await harness.events("late"))


async def test_security_context(harness: Harness) -> None:
    main = container(
        securityContext={
            "runAsUser": 1000, "readOnlyRootFilesystem": True, "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]}, "seccompProfile": {"type": "RuntimeDefault"},
        },
    )  # fmt: skip
    await harness.run(pod("safe", main, securityContext={"runAsGroup": 3000, "supplementalGroups": [4000]}))
    assert await harness.output("safe", "id", "-u") == "1000\n"
    assert await harness.output("safe", "id", "-G") == "3000 4000\n"
    status = await harness.output("safe", "grep", "-E", "CapEff|NoNewPrivs|Seccomp:", "/proc/self/status")
    assert status.split() == ["CapEff:", "0000000000000000", "NoNewPrivs:", "1", "Seccomp:", "2"]
    assert os.geteuid() == 0
