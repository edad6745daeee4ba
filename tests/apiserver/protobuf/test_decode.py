"""`kubectl.json`: what kubectl 1.32 sent to a recording server, and what it prints with `--dry-run=client -o json`."""

import base64
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from weft.apiserver.protobuf import MAGIC, decode
from weft.apiserver.protobuf.messages import message
from weft.apiserver.schema import check
from weft.apiserver.schema.table import kinds, struct_of

RECORDED = json.loads(Path(__file__).with_name("kubectl.json").read_text())
BODIES = [base64.b64decode(entry["body"]) for entry in RECORDED]


def split(obj: dict[str, Any]) -> tuple[str, str, str]:
    group, _, version = obj["apiVersion"].rpartition("/")
    return group, version, obj["kind"]


@pytest.mark.parametrize("entry", [e for e in RECORDED if e["json"]], ids=lambda entry: entry["command"])
def test_what_kubectl_sends_is_what_it_prints(entry: dict[str, Any]) -> None:
    expected = entry["json"]
    if not entry["command"].startswith("kubectl create namespace"):
        expected["metadata"].pop("namespace", None)
    report = check(*split(expected), expected)
    assert not report.errors
    assert not report.unknown
    decoded = decode(base64.b64decode(entry["body"]))
    decoded["metadata"].pop("namespace", None)
    assert decoded == report.object


def test_deployment_in_full() -> None:
    entry = next(e for e in RECORDED if e["command"].startswith("kubectl create deployment"))
    assert decode(base64.b64decode(entry["body"])) == {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "labels": {"app": "web"}, **namespace(entry)},
        "spec": {
            "replicas": 3,
            "selector": {"matchLabels": {"app": "web"}},
            "strategy": {},
            "template": {
                "metadata": {"labels": {"app": "web"}},
                "spec": {
                    "containers": [
                        {"name": "nginx", "image": "nginx:1", "ports": [{"containerPort": 80}], "resources": {}}
                    ]
                },
            },
        },
        "status": {},
    }


def namespace(entry: dict[str, Any]) -> dict[str, str]:
    found = decode(base64.b64decode(entry["body"]))["metadata"].get("namespace")
    return {"namespace": found} if found else {}


def test_reviews() -> None:
    by_command = {entry["command"]: decode(base64.b64decode(entry["body"])) for entry in RECORDED}
    token = by_command["kubectl create token default --duration=1h --audience=a"]
    assert token["spec"] == {"audiences": ["a"], "expirationSeconds": 3600, "boundObjectRef": None} or token[
        "spec"
    ] == {
        "audiences": ["a"],
        "expirationSeconds": 3600,
    }
    question = by_command["kubectl auth can-i get pods"]
    assert question["spec"]["resourceAttributes"] == {"namespace": "default", "verb": "get", "resource": "pods"}
    assert by_command["kubectl auth whoami"]["kind"] == "SelfSubjectReview"


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"", "does not appear to be a protobuf message"),
        (b"{}", "does not appear to be a protobuf message"),
        (MAGIC, 'no kind "" is registered'),
        (MAGIC + b"\x0a\xff", "unexpected EOF"),
        (MAGIC + b"\x0a\x0d\x0a\x02v1\x12\x07Nothing", 'no kind "Nothing" is registered for version "v1"'),
        (MAGIC + b"\x0b", "illegal wireType 3"),
        (MAGIC + b"\x02", "illegal tag 0"),
        (MAGIC + b"\xff" * 11, "integer overflow"),
    ],
)
def test_bad_bodies(body: bytes, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        decode(body)


@given(st.binary(max_size=200))
def test_any_bytes_decode_or_are_refused(body: bytes) -> None:
    try:
        decode(MAGIC + body)
    except ValueError:
        pass


@given(st.sampled_from(BODIES), st.data())
def test_damaged_bodies_decode_or_are_refused(body: bytes, data: st.DataObject) -> None:
    damaged = bytearray(body)
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    try:
        decode(bytes(damaged[: data.draw(st.integers(0, len(body)))]))
    except ValueError:
        pass


@given(st.sampled_from(kinds()), st.binary(max_size=80))
def test_any_message_of_any_kind(kind: str, data: bytes) -> None:
    *group, version, name = kind.split("/")
    type_ = struct_of("/".join(group), version, name)
    assert type_
    try:
        message(type_.name, data)
    except ValueError:
        pass


def varint(number: int) -> bytes:
    out = bytearray()
    number &= (1 << 64) - 1
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes([*out, number])


def encode(name: str, obj: dict[str, Any]) -> bytes:
    """A small encoder for the round trip: structs, strings, numbers, bools, lists, maps."""
    from weft.apiserver.schema.table import struct

    out = b""
    for field in struct(name).fields:
        if field.inline:
            part = encode(field.code, obj)
            out += tag(field.number, part)
        elif field.name in obj:
            value = obj[field.name]
            if field.map:
                for key, item in value.items():
                    out += tag(field.number, tag(1, key.encode()) + one(2, field.code, item))
            else:
                for item in value if field.list else [value]:
                    out += one(field.number, field.code, item)
    return out


def tag(number: int, data: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(data)) + data


def one(number: int, code: str, value: Any) -> bytes:
    if "." in code:
        return tag(number, encode(code, value))
    if code in "bil":
        return varint(number << 3) + varint(int(value))
    data: dict[str, Any] = {
        "s": lambda: value.encode(),
        "y": lambda: base64.b64decode(value),
        "q": lambda: tag(1, value.encode()),
        "x": lambda: (
            varint(8) + varint(1) + tag(3, value.encode())
            if isinstance(value, str)
            else varint(8) + varint(0) + varint(16) + varint(value)
        ),
    }
    return tag(number, data[code]())


text = st.text(st.characters(codec="utf-8"), min_size=1, max_size=6)
SERVICES = st.fixed_dictionaries(
    {"metadata": st.fixed_dictionaries({"name": text, "labels": st.dictionaries(text, text, min_size=1, max_size=3)})},
    optional={
        "spec": st.fixed_dictionaries(
            {"selector": st.dictionaries(text, text, min_size=1)},
            optional={
                "ports": st.lists(
                    st.fixed_dictionaries(
                        {
                            "port": st.integers(-(2**31), 2**31 - 1),
                            "targetPort": text | st.integers(-(2**31), 2**31 - 1),
                        }
                    ),
                    min_size=1,
                    max_size=3,
                ),
                "publishNotReadyAddresses": st.just(True),
                "allocateLoadBalancerNodePorts": st.booleans(),
            },
        )
    },
)


@given(SERVICES)
def test_round_trip(service: dict[str, Any]) -> None:
    raw = encode("core/v1.Service", service)
    body = MAGIC + tag(1, tag(1, b"v1") + tag(2, b"Service")) + tag(2, raw)
    report = check("", "v1", "Service", {"apiVersion": "v1", "kind": "Service", **service})
    assert not report.errors
    assert decode(body) == report.object
    msgspec.json.encode(decode(body))
