"""Reading image archives: `docker save` (Docker image spec 1.2) and OCI layouts in a tar file."""

import json
import tarfile
from pathlib import Path
from typing import IO, Any

from weft.lab.images.reference import Reference, parse
from weft.lab.images.store import CONFIG, INDEXES, LAYER, MANIFEST, Descriptor, ImageStore, descriptor

_REF_NAME = ("io.containerd.image.name", "org.opencontainers.image.ref.name")
_MAX_DOCUMENT = 8 << 20


def load(store: ImageStore, path: Path) -> list[Reference]:
    """Puts every image of the archive into the store; ValueError says why a file is none."""
    try:
        with tarfile.open(path) as archive:
            names = set(archive.getnames())
            if "manifest.json" in names and "oci-layout" not in names:
                return _docker(store, archive)
            if "index.json" in names:
                return _oci(store, archive)
            if "manifest.json" in names:
                return _docker(store, archive)
    except (tarfile.TarError, EOFError) as error:
        raise ValueError(f"{path}: is not a tar archive ({error})") from None
    except OSError as error:
        raise ValueError(f"{path}: cannot be read: {error.strerror or error}") from None
    except (KeyError, TypeError, json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: is a damaged image archive: {error!r} (save it again)") from None
    raise ValueError(f"{path}: has neither manifest.json nor index.json (save it with `docker save`)")


def _open(archive: tarfile.TarFile, name: str) -> IO[bytes]:
    member = archive.getmember(name)
    if member.issym() or member.islnk():  # docker save links layers that images share
        name = str(Path(name).parent / member.linkname) if member.issym() else member.linkname
        member = archive.getmember(_normal(name))
    file = archive.extractfile(member)
    if file is None:
        raise KeyError(name)
    return file


def _normal(name: str) -> str:
    parts: list[str] = []
    for part in name.split("/"):
        if part == ".." and parts:
            parts.pop()
        elif part not in ("", ".", ".."):
            parts.append(part)
    return "/".join(parts)


def _document(archive: tarfile.TarFile, name: str) -> Any:
    return json.loads(_open(archive, name).read(_MAX_DOCUMENT))


def _docker(store: ImageStore, archive: tarfile.TarFile) -> list[Reference]:
    loaded = []
    for entry in _document(archive, "manifest.json"):
        config = store.put(_open(archive, entry["Config"]).read(), CONFIG)
        layers = [store.put_file(_open(archive, name), LAYER) for name in entry["Layers"]]
        manifest = put_manifest(store, config, layers)
        for tag in entry.get("RepoTags") or ():
            loaded.append(_named(store, tag, manifest))
    return loaded


def put_manifest(store: ImageStore, config: Descriptor, layers: list[Descriptor]) -> Descriptor:
    document = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": config.as_json(),
        "layers": [layer.as_json() for layer in layers],
    }
    return store.put(json.dumps(document).encode(), MANIFEST)


def _oci(store: ImageStore, archive: tarfile.TarFile) -> list[Reference]:
    loaded = []
    for entry in _document(archive, "index.json")["manifests"]:
        found = _copy(store, archive, descriptor(entry))
        annotations = entry.get("annotations") or {}
        name = next((annotations[key] for key in _REF_NAME if key in annotations), None)
        if found and name:
            loaded.append(_named(store, name, found))
    return loaded


def _copy(store: ImageStore, archive: tarfile.TarFile, wanted: Descriptor) -> Descriptor | None:
    """Copies a manifest, or an index with the platforms that the archive holds, and all that it names."""
    name = "blobs/" + wanted.digest.replace(":", "/")
    if name not in archive.getnames():
        return None
    data = _open(archive, name).read(_MAX_DOCUMENT)
    document = json.loads(data)
    if wanted.media_type in INDEXES:
        for child in document["manifests"]:
            _copy(store, archive, descriptor(child))
    else:
        for part in (document["config"], *document["layers"]):
            stored = store.put_file(_open(archive, "blobs/" + part["digest"].replace(":", "/")), part["mediaType"])
            if stored.digest != part["digest"]:
                raise KeyError(f"blob {part['digest']} has other contents")
    return store.put(data, wanted.media_type)


def _named(store: ImageStore, name: str, manifest: Descriptor) -> Reference:
    reference = parse(name)
    store.tag(reference, manifest)
    return reference
