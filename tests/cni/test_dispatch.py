"""The protocol without a system: every request gets a document with a code, whatever bytes come in."""

from ipaddress import ip_address, ip_interface, ip_network
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.cni.calls import document, environment

from weft.cni.dispatch import dispatch
from weft.cni.errors import CniError
from weft.cni.request import Request
from weft.cni.result import AddressResult, LinkResult, Result, RouteResult
from weft.cni.serve import decode_request, encode_request


class Recorder:
    """A plugin that does nothing and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[Request] = []

    def add(self, request: Request) -> Result:
        self.asked.append(request)
        return Result(
            links=(LinkResult("eth0", "0a:58:0a:f4:01:02", "/run/netns/pod", 1500),),
            addresses=(AddressResult(ip_interface("10.244.1.2/24"), 0, ip_address("10.244.1.1")),),
            routes=(RouteResult(ip_network("0.0.0.0/0"), ip_address("10.244.1.1")),),
        )

    def delete(self, request: Request) -> None:
        self.asked.append(request)

    def check(self, request: Request) -> None:
        raise CniError(102, "eth0 is missing", "in /run/netns/pod")

    def gc(self, request: Request) -> None:
        self.asked.append(request)

    def status(self, request: Request) -> None:
        raise CniError(50, "not yet")


def call(env: dict[str, str], config: Any) -> tuple[dict[str, Any] | None, int]:
    stdin = config if isinstance(config, bytes) else msgspec.json.encode(config)
    output, status = dispatch({"weft": Recorder()}, env, stdin)
    return (msgspec.json.decode(output) if output else None), status


def test_version_needs_no_configuration() -> None:
    answer, status = call({"CNI_COMMAND": "VERSION"}, b'{"cniVersion":"1.0.0"}')
    assert status == 0
    assert answer == {"cniVersion": "1.0.0", "supportedVersions": ["0.3.1", "0.4.0", "1.0.0", "1.1.0"]}
    assert call({"CNI_COMMAND": "VERSION"}, b"")[1] == 0


@pytest.mark.parametrize("version", ["0.3.1", "0.4.0", "1.0.0", "1.1.0"])
def test_add_answers_in_the_shape_of_the_version(version: str) -> None:
    answer, status = call(environment("ADD"), document(cniVersion=version))
    assert (status, answer) == (0, answer)
    assert answer is not None
    assert answer["cniVersion"] == version
    address = {"address": "10.244.1.2/24", "interface": 0, "gateway": "10.244.1.1"}
    assert answer["ips"] == [address | ({"version": "4"} if version < "1.0.0" else {})]
    assert ("mtu" in answer["interfaces"][0]) == (version == "1.1.0")
    assert answer["routes"] == [{"dst": "0.0.0.0/0", "gw": "10.244.1.1"}]
    assert answer["dns"] == {}


@pytest.mark.parametrize(
    ("change", "config", "code", "words"),
    [
        ({"CNI_COMMAND": "ERASE"}, {}, 4, "CNI_COMMAND: 'ERASE' is not one of ADD"),
        ({"CNI_COMMAND": ""}, {}, 4, "CNI_COMMAND"),
        ({"CNI_CONTAINERID": ""}, {}, 4, "required env variables [CNI_CONTAINERID] missing"),
        ({"CNI_NETNS": "", "CNI_IFNAME": ""}, {}, 4, "[CNI_NETNS,CNI_IFNAME] missing"),
        ({"CNI_CONTAINERID": "../etc"}, {}, 4, "CNI_CONTAINERID"),
        ({"CNI_IFNAME": "a" * 16}, {}, 4, "CNI_IFNAME"),
        ({"CNI_IFNAME": ".."}, {}, 4, "CNI_IFNAME"),
        ({"CNI_IFNAME": "a/b"}, {}, 4, "CNI_IFNAME"),
        ({"CNI_ARGS": "novalue"}, {}, 4, "invalid CNI_ARGS pair 'novalue'"),
        ({}, {"cniVersion": "0.2.0"}, 1, "'0.2.0'"),
        ({}, {"cniVersion": "2.0.0"}, 1, "'2.0.0'"),
        ({"CNI_COMMAND": "CHECK"}, {"cniVersion": "0.3.1"}, 1, "0.3.1 does not allow CHECK, 0.4.0 does"),
        ({"CNI_COMMAND": "GC"}, {"cniVersion": "1.0.0"}, 1, "does not allow GC"),
        ({"CNI_COMMAND": "STATUS"}, {"cniVersion": "1.0.0"}, 1, "does not allow STATUS"),
        ({}, {"name": ""}, 7, "name: ''"),
        ({}, {"name": "a b"}, 7, "name: 'a b'"),
        ({}, {"type": "bridge"}, 7, "type: 'bridge' is not one of weft"),
        ({}, {"type": 5}, 6, "$.type"),
        ({"CNI_COMMAND": "GC"}, {"cni.dev/valid-attachments": [{"ifname": "eth0"}]}, 6, "containerID"),
        ({"CNI_COMMAND": "CHECK"}, {}, 102, "eth0 is missing"),
        ({"CNI_COMMAND": "STATUS"}, {}, 50, "not yet"),
    ],
)
def test_each_mistake_has_its_code_and_names_its_field(
    change: dict[str, str], config: dict[str, Any], code: int, words: str
) -> None:
    answer, status = call(environment("ADD") | change, document(**config))
    assert status == 1
    assert answer is not None
    assert answer["code"] == code
    assert words in answer["msg"] + answer.get("details", "")
    assert answer["cniVersion"] in ("0.3.1", "0.4.0", "1.0.0", "1.1.0")


@pytest.mark.parametrize("stdin", [b"", b"{", b"[]", b"null", b"\xff", b'{"cniVersion":1}', b"[" * 100_000, b'"x"'])
def test_what_is_no_configuration_is_code_6(stdin: bytes) -> None:
    answer, status = call(environment("ADD"), stdin)
    assert (status, answer["code"] if answer else None) == (1, 6)


_texts = st.text(max_size=20)
_json = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False) | _texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_texts, inner, max_size=3),
    max_leaves=8,
)
_KEYS = ["cniVersion", "name", "type", "prevResult", "runtimeConfig", "cni.dev/valid-attachments", "ipam"]
_configs = st.one_of(
    st.binary(max_size=60),
    st.dictionaries(st.sampled_from(_KEYS), _json).map(lambda keys: msgspec.json.encode(keys)),
    st.dictionaries(st.sampled_from(_KEYS[3:]), _json).map(lambda keys: msgspec.json.encode(document(**keys))),
)
_VARIABLES = ["CNI_COMMAND", "CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME", "CNI_ARGS", "CNI_PATH"]
_environments = st.builds(
    lambda verb, change: environment(verb) | change,
    st.sampled_from(["ADD", "DEL", "CHECK", "GC", "STATUS", "VERSION"]),
    st.dictionaries(st.sampled_from(_VARIABLES), _texts),
)


@given(_environments, _configs)
def test_any_request_gets_an_answer(env: dict[str, str], stdin: bytes) -> None:
    output, status = dispatch({"weft": Recorder()}, env, stdin)
    answer = msgspec.json.decode(output) if output else None
    assert status in (0, 1)
    if status:
        assert isinstance(answer["code"], int)
        assert answer["code"] > 0
        assert answer["msg"]


_variables = st.dictionaries(
    st.text(st.characters(blacklist_characters="=\0", blacklist_categories=["Cs"]), min_size=1),
    st.text(st.characters(blacklist_characters="\0", blacklist_categories=["Cs"])),
)


@given(_variables, st.binary(max_size=100))
def test_requests_come_back_from_the_wire(env: dict[str, str], stdin: bytes) -> None:
    assert decode_request(encode_request(env, stdin)) == (env, stdin)


@given(st.binary(max_size=100))
def test_any_bytes_on_the_wire_are_read_or_refused(data: bytes) -> None:
    try:
        decode_request(data)
    except ValueError as error:
        assert "environment" in str(error)
