"""The texts were taken from kube-apiserver 1.36.3."""

from typing import Any

import pytest

from weft.apiserver.schema import check, duplicates


def pod(**spec: Any) -> dict[str, Any]:
    base = {"containers": [{"name": "c", "image": "i"}], **spec}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}, "spec": base}


def container(**fields: Any) -> dict[str, Any]:
    return pod(containers=[{"name": "a", "image": "i", **fields}])


CONTAINER = "Go struct field Container.spec.containers"
PORT = "Go struct field ContainerPort.spec.containers.ports.containerPort of type int32"
PROBE_PORT = "HTTPGetAction.spec.containers.livenessProbe.ProbeHandler.httpGet.port of type int32"
QUANTITY = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"


@pytest.mark.parametrize(
    ("obj", "text"),
    [
        (pod(containers="x"), "string into Go struct field PodSpec.spec.containers of type []v1.Container"),
        (pod(containers=[{"name": 5}]), f"number into {CONTAINER}.name of type string"),
        (container(ports=[{"containerPort": "80"}]), f"string into {PORT}"),
        (container(ports=[{"containerPort": 80.5}]), f"number 80.5 into {PORT}"),
        (container(ports=[{"containerPort": 99999999999}]), f"number 99999999999 into {PORT}"),
        (
            container(resources={"limits": "x"}),
            "string into Go struct field ResourceRequirements.spec.containers.resources.limits of type v1.ResourceList",
        ),
        (pod(restartPolicy=5), "number into Go struct field PodSpec.spec.restartPolicy of type v1.RestartPolicy"),
        (pod(hostNetwork="yes"), "string into Go struct field PodSpec.spec.hostNetwork of type bool"),
        (pod(nodeSelector={"a": True}), "bool into Go struct field PodSpec.spec.nodeSelector of type string"),
        (
            pod(securityContext=[]),
            "array into Go struct field PodSpec.spec.securityContext of type v1.PodSecurityContext",
        ),
        (container(livenessProbe={"httpGet": {"port": True}}), f"bool into Go struct field {PROBE_PORT}"),
        (container(livenessProbe={"httpGet": {"port": 1.5}}), f"number 1.5 into Go struct field {PROBE_PORT}"),
        (
            {**pod(), "metadata": {"creationTimestamp": 5}},
            "number into Go struct field ObjectMeta.metadata.creationTimestamp of type string",
        ),
        ({**pod(), "metadata": "x"}, "string into Go struct field Pod.metadata of type v1.ObjectMeta"),
    ],
)  # fmt: skip
def test_wrong_types(obj: dict[str, Any], text: str) -> None:
    assert check("", "v1", "Pod", obj).errors == [f"json: cannot unmarshal {text}"]


@pytest.mark.parametrize(
    ("obj", "text"),
    [
        (container(resources={"limits": {"cpu": "abc"}}), QUANTITY),
        (container(resources={"limits": {"cpu": {}}}), QUANTITY),
        (
            {**pod(), "metadata": {"creationTimestamp": "foo"}},
            'parsing time "foo" as "2006-01-02T15:04:05Z07:00": cannot parse "foo" as "2006"',
        ),
    ],
)
def test_wrong_values(obj: dict[str, Any], text: str) -> None:
    assert check("", "v1", "Pod", obj).errors == [text]


def test_base64() -> None:
    secret = {"data": {"a": "!!!"}}
    assert check("", "v1", "Secret", secret).errors == ["illegal base64 data at input byte 0"]
    secret = {"data": {"a": 5}}  # type: ignore[dict-item]
    assert check("", "v1", "Secret", secret).errors == [
        "json: cannot unmarshal number into Go struct field Secret.data of type []uint8"
    ]


def test_unknown_fields_are_named_and_pruned() -> None:
    report = check("", "v1", "Pod", pod(foo=1, containers=[{"name": "a", "bar": {}}]))
    assert report.unknown == ["spec.containers[0].bar", "spec.foo"]
    assert report.strict_error() == (
        'strict decoding error: unknown field "spec.containers[0].bar", unknown field "spec.foo"'
    )
    assert "foo" not in report.object["spec"]


def test_names_are_case_sensitive() -> None:
    assert check("", "v1", "Pod", {**pod(), "metadata": {"Labels": {}}}).unknown == ["metadata.Labels"]


def test_duplicates() -> None:
    body = (
        b'{"metadata":{"name":"a","name":"b"},"spec":{"containers":[{"image":"i","image":"j"}],'
        b'"nodeSelector":{"a":"b","a":"c"}}}'
    )
    import msgspec

    obj = msgspec.json.decode(body)
    assert duplicates(body, obj) == ["metadata.name", "spec.containers[0].image", "spec.nodeSelector.a"]
    assert duplicates(msgspec.json.encode(obj), obj) == []


def test_what_go_never_omits_comes_in() -> None:
    report = check("", "v1", "Pod", pod(nodeName="", volumes=[{"name": "v", "emptyDir": {}}], hostname=None))
    assert report.object == {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "a"},
        "spec": {
            "containers": [{"name": "c", "image": "i", "resources": {}}],
            "volumes": [{"name": "v", "emptyDir": {}}],
        },
        "status": {},
    }


def test_an_unknown_kind_passes() -> None:
    assert check("example.org", "v1", "Thing", {"a": 1}).object == {"a": 1}
