"""Payloads of volumes, and writing them at once."""

import os
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from weft.cluster.objects.container import Container
from weft.cluster.objects.volume import HostPathSource, Volume
from weft.kubelet.env.environment import ConfigError
from weft.kubelet.env.fields import Placement
from weft.kubelet.volumes import atomic, hostpath
from weft.kubelet.volumes.mounts import container_mounts
from weft.kubelet.volumes.objects import registry_auth
from weft.kubelet.volumes.payload import Contents, File, VolumeError, needs, payload

from .values import make_pod

CONTENTS = Contents(
    {"map": {"a": b"1", "b": b"2"}, "none": None}, {"keys": {"k": b"v"}}, {("", 3607): "tok"}, Placement("n1", ())
)


def volume(**source: Any) -> Volume:
    return msgspec.convert({"name": "v", **source}, Volume)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ({"configMap": {"name": "map"}}, {"a": File(b"1"), "b": File(b"2")}),
        (
            {"configMap": {"name": "map", "defaultMode": 0o600, "items": [{"key": "a", "path": "x/y", "mode": 0o444}]}},
            {"x/y": File(b"1", 0o444)},
        ),
        ({"configMap": {"name": "none", "optional": True}}, {}),
        ({"secret": {"secretName": "keys", "defaultMode": 0o400}}, {"k": File(b"v", 0o400)}),
        (
            {"downwardAPI": {"items": [{"path": "n", "fieldRef": {"fieldPath": "metadata.name"}}]}},
            {"n": File(b"web")},
        ),
        (
            {
                "projected": {
                    "sources": [
                        {"serviceAccountToken": {"path": "token", "expirationSeconds": 3607}},
                        {"configMap": {"name": "map", "items": [{"key": "a", "path": "ca.crt"}]}},
                    ]
                }
            },
            {"token": File(b"tok"), "ca.crt": File(b"1")},
        ),
        ({"emptyDir": {}}, None),
    ],
)
def test_payloads(source: dict[str, Any], expected: dict[str, File] | None) -> None:
    assert payload(make_pod(), volume(**source), CONTENTS) == expected


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ({"configMap": {"name": "none"}}, 'configmap "none" not found'),
        ({"configMap": {"name": "map", "items": [{"key": "z", "path": "z"}]}}, "references non-existent config key: z"),
        ({"configMap": {"name": "map", "items": [{"key": "a", "path": "../z"}]}}, "must not contain"),
        ({"secret": {"secretName": "gone"}}, 'secret "gone" not found'),
    ],
)
def test_payloads_that_cannot_be(source: dict[str, Any], message: str) -> None:
    with pytest.raises(VolumeError, match=message):
        payload(make_pod(), volume(**source), CONTENTS)


def test_needs() -> None:
    found = needs(volume(projected={"sources": [{"serviceAccountToken": {"path": "t"}}, {"secret": {"name": "s"}}]}))
    assert found.tokens == {("", 3600)} and found.secrets == {"s"} and not found.config_maps


_names = st.sampled_from(["a", "b", "dir/c", "dir/sub/d"])


@settings(deadline=None, max_examples=40)
@given(st.lists(st.dictionaries(_names, st.builds(File, st.binary(max_size=20), st.just(0o640))), max_size=4))
def test_a_volume_holds_exactly_the_last_payload(history: list[dict[str, File]]) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as name:
        directory = Path(name) / "v"
        before = None
        for files in history:
            changed = atomic.write(directory, files)
            assert changed == (files != before)
            before = files
            found = {
                str(path.relative_to(directory)): path.read_bytes()
                for path in directory.rglob("*")
                if path.is_file() and not str(path.relative_to(directory)).startswith("..")
            }
            linked = {f"{e.name}": None for e in directory.iterdir() if not e.name.startswith("..")}
            assert set(linked) == {path.split("/")[0] for path in files}
            for path, file in files.items():
                assert (directory / path).read_bytes() == file.content
                assert (directory / path).stat().st_mode & 0o777 == file.mode
            assert set(found) <= set(files)
            assert len([e for e in directory.iterdir() if e.name.startswith("..2")]) == 1


def test_a_crash_between_two_steps_is_mended(tmp_path: Path) -> None:
    atomic.write(tmp_path, {"a": File(b"1")})
    (tmp_path / "..2020_01_01_00_00_00.1").mkdir()
    (tmp_path / "..data_tmp").symlink_to("nowhere")
    (tmp_path / "a").unlink()
    atomic.write(tmp_path, {"a": File(b"1")})
    assert (tmp_path / "a").read_bytes() == b"1"
    atomic.write(tmp_path, {"a": File(b"2")})
    assert sorted(os.listdir(tmp_path))[1:] == ["..data", "a"]


def test_host_paths(tmp_path: Path) -> None:
    assert hostpath.prepare(HostPathSource(str(tmp_path / "d"), "DirectoryOrCreate")).is_dir()
    assert hostpath.prepare(HostPathSource(str(tmp_path / "f"), "FileOrCreate")).is_file()
    assert hostpath.prepare(HostPathSource("/dev/null", "CharDevice"))
    assert hostpath.prepare(HostPathSource("/not/there", None)) == Path("/not/there")
    for kind, noun in (("Directory", "a directory"), ("Socket", "a socket file")):
        with pytest.raises(VolumeError, match=f"hostPath type check failed: {tmp_path}/f is not {noun}"):
            hostpath.prepare(HostPathSource(str(tmp_path / "f"), kind))


def test_mounts(tmp_path: Path) -> None:
    mounts = [
        {"name": "v", "mountPath": "/v", "readOnly": True},
        {"name": "v", "mountPath": "/etc/hosts", "subPathExpr": "$(WHO)/x"},
    ]
    container = msgspec.convert({"name": "c", "volumeMounts": mounts}, Container)
    own = {"/etc/hosts": tmp_path / "h", "/dev/termination-log": tmp_path / "t"}
    found = container_mounts(container, {"v": tmp_path}, {"WHO": "me"}, own)
    assert [(m.container_path, m.host_path, m.read_only) for m in found] == [
        ("/v", str(tmp_path), True),
        ("/etc/hosts", str(tmp_path / "me" / "x"), False),
        ("/dev/termination-log", str(tmp_path / "t"), False),
    ]
    (tmp_path / "out").symlink_to("/etc")
    for path in ("out/x", "../x", "/x"):
        bad = msgspec.convert(
            {"name": "c", "volumeMounts": [{"name": "v", "mountPath": "/v", "subPath": path}]}, Container
        )
        with pytest.raises(ConfigError, match="subPath"):
            container_mounts(bad, {"v": tmp_path}, {}, {})


def test_registry_credentials() -> None:
    config = msgspec.json.encode(
        {"auths": {"https://index.docker.io/v1/": {"auth": "eA=="}, "r.example:5000": {"username": "u"}}}
    )
    assert registry_auth(config, "docker.io") == {"auth": "eA==", "server_address": "docker.io"}
    assert registry_auth(config, "r.example:5000") == {"username": "u", "server_address": "r.example:5000"}
    assert registry_auth(config, "else") is None and registry_auth(b"no", "docker.io") is None
