"""Image references, the store, archives, and images built from this machine's programs."""

import io
import json
import tarfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weft.lab.images import archive
from weft.lab.images.build import Definition, build
from weft.lab.images.layer import Layer
from weft.lab.images.reference import Reference, parse
from weft.lab.images.store import LAYER, MANIFEST, ImageStore


@pytest.mark.parametrize(
    ("text", "whole"),
    [
        ("nginx", "docker.io/library/nginx:latest"),
        ("nginx:1.27", "docker.io/library/nginx:1.27"),
        ("bitnami/redis", "docker.io/bitnami/redis:latest"),
        ("index.docker.io/nginx", "docker.io/library/nginx:latest"),
        ("registry.k8s.io/pause:3.10", "registry.k8s.io/pause:3.10"),
        ("localhost:5000/a/b:c", "localhost:5000/a/b:c"),
        ("localhost/a", "localhost/a:latest"),
        ("nginx@sha256:" + "a" * 64, "docker.io/library/nginx@sha256:" + "a" * 64),
    ],
)
def test_references_are_normalised(text: str, whole: str) -> None:
    assert str(parse(text)) == whole


@pytest.mark.parametrize("text", ["", "Nginx", "a//b", "nginx:", "nginx:a b", "../x", "nginx@sha256:12", "a:b:c"])
def test_bad_references_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="image"):
        parse(text)


@given(st.text(max_size=60))
def test_whatever_parses_parses_again_to_itself(text: str) -> None:
    try:
        reference = parse(text)
    except ValueError:
        return
    assert parse(str(reference)) == reference


def _tiny(layer: Layer) -> None:
    layer.content("hello", b"hello\n")
    layer.link("bin/hi", "/hello")


TINY = Definition(("tiny", "tiny:1"), {}, _tiny, command=("/hello",))


def test_a_built_image_is_found_by_name_and_digest_and_is_the_same_twice(tmp_path: Path) -> None:
    store = ImageStore(tmp_path)
    references = build(store, TINY)
    first = store.resolve(references[0])
    assert first is not None and first.media_type == MANIFEST
    build(store, TINY)
    assert store.resolve(references[1]) == first
    assert store.resolve(Reference("docker.io", "library/tiny", digest=first.digest)) == first
    manifest = json.loads(store.blob(first.digest).read_bytes())
    (layer,) = manifest["layers"]
    with tarfile.open(store.blob(layer["digest"])) as tar:
        assert tar.extractfile("hello").read() == b"hello\n"  # type: ignore[union-attr]
        assert tar.getmember("bin/hi").linkname == "/hello"
        assert {member.uid for member in tar.getmembers()} == {0}
    assert not list(tmp_path.glob("blobs/sha256/.new-*"))


def test_a_failed_build_leaves_no_blob(tmp_path: Path) -> None:
    store = ImageStore(tmp_path)

    def broken(layer: Layer) -> None:
        layer.file(tmp_path / "absent")

    with pytest.raises(FileNotFoundError):
        build(store, Definition(("broken",), {}, broken))
    assert list(tmp_path.glob("blobs/sha256/*")) == []
    assert store.images() == []


def test_a_missing_program_names_its_package(tmp_path: Path) -> None:
    definition = Definition(("x",), {"no-such-program": "a-package"}, lambda _layer: None)
    with pytest.raises(ValueError, match=r"apt-get install a-package"):
        build(ImageStore(tmp_path), definition)


def _save(store: ImageStore, reference: Reference, path: Path) -> None:
    """As `docker save` writes it."""
    found = store.resolve(reference)
    assert found
    manifest = json.loads(store.blob(found.digest).read_bytes())
    layer, config = (store.blob(part["digest"]).read_bytes() for part in (manifest["layers"][0], manifest["config"]))
    entries = {
        "config.json": config,
        "abc/layer.tar": layer,
        "manifest.json": json.dumps(
            [{"Config": "config.json", "RepoTags": ["copied:2"], "Layers": ["abc/layer.tar"]}]
        ).encode(),
    }
    _tar(path, entries)


def _tar(path: Path, entries: dict[str, bytes]) -> None:
    with tarfile.open(path, "w") as tar:
        for name, data in entries.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))


def test_docker_archives_load(tmp_path: Path) -> None:
    store, other = ImageStore(tmp_path / "a"), ImageStore(tmp_path / "b")
    (reference, _) = build(store, TINY)
    _save(store, reference, tmp_path / "saved.tar")
    (loaded,) = archive.load(other, tmp_path / "saved.tar")
    assert str(loaded) == "docker.io/library/copied:2"
    one, two = store.resolve(reference), other.resolve(loaded)
    assert one == two


def test_oci_archives_load_and_damage_is_said(tmp_path: Path) -> None:
    store = ImageStore(tmp_path / "a")
    (reference, _) = build(store, TINY)
    found = store.resolve(reference)
    assert found
    blobs = {f"blobs/sha256/{d[7:]}": store.blob(d).read_bytes() for d in store.reachable(found)}
    index = {"manifests": [{**found.as_json(), "annotations": {"io.containerd.image.name": "x.example/y:z"}}]}
    entries = {"oci-layout": b"{}", "index.json": json.dumps(index).encode(), **blobs}
    _tar(tmp_path / "good.tar", entries)
    other = ImageStore(tmp_path / "b")
    assert [str(r) for r in archive.load(other, tmp_path / "good.tar")] == ["x.example/y:z"]
    layer = next(name for name in blobs if len(blobs[name]) > 2000)
    _tar(tmp_path / "bad.tar", {**entries, layer: blobs[layer][:-1] + b"?"})
    with pytest.raises(ValueError, match="damaged image archive"):
        archive.load(ImageStore(tmp_path / "c"), tmp_path / "bad.tar")


@pytest.mark.parametrize("content", [b"", b"not a tar", bytes(1024)])
def test_what_is_no_archive_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.tar"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"x\.tar"):
        archive.load(ImageStore(tmp_path / "store"), path)


def test_adopting_links_blobs(tmp_path: Path) -> None:
    cache, store = ImageStore(tmp_path / "cache"), ImageStore(tmp_path / "store")
    (reference, _) = build(cache, TINY)
    store.adopt(cache, reference)
    found = store.resolve(reference)
    assert found == cache.resolve(reference)
    assert found and store.blob(found.digest).samefile(cache.blob(found.digest))
    with pytest.raises(ValueError, match="not in the store"):
        store.adopt(cache, parse("other"))


@pytest.mark.parametrize("digest", ["", "sha256:..", "md5:" + "a" * 64, "sha256:../../etc/passwd" + "a" * 41])
def test_digests_cannot_name_files_outside_the_store(tmp_path: Path, digest: str) -> None:
    with pytest.raises(ValueError, match="digest"):
        ImageStore(tmp_path).blob(digest)


def test_layers_are_uncompressed_tar() -> None:
    assert LAYER.endswith(".tar")
