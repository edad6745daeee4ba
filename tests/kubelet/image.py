"""A container image out of the machine's static busybox, as a docker archive; it serves as pause, too."""

import hashlib
import io
import json
import subprocess
import tarfile
from pathlib import Path

_BUSYBOX = "/bin/busybox"
_PASSWD = "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/sh\nguest:x:1000:1000::/:/bin/sh\n"


def write_archive(path: Path, tags: list[str]) -> None:
    """Writes one image under all `tags`; its command sleeps for ever."""
    layer = _layer()
    digest = hashlib.sha256(layer).hexdigest()
    config = json.dumps(
        {
            "architecture": "amd64",
            "os": "linux",
            "config": {"Env": ["PATH=/bin:/usr/bin"], "Cmd": ["/bin/sleep", "2147483647"]},
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}"]},
        }
    ).encode()
    name = f"{hashlib.sha256(config).hexdigest()}.json"
    manifest = json.dumps([{"Config": name, "RepoTags": tags, "Layers": [f"{digest}/layer.tar"]}]).encode()
    with tarfile.open(path, "w") as archive:
        for entry, data in ((name, config), (f"{digest}/layer.tar", layer), ("manifest.json", manifest)):
            _file(archive, entry, data)


def _layer() -> bytes:
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w", format=tarfile.GNU_FORMAT) as layer:
        for name in ("bin", "etc", "tmp", "root", "proc", "sys", "dev", "var", "var/run"):
            entry = tarfile.TarInfo(name)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o1777 if name == "tmp" else 0o755
            layer.addfile(entry)
        _file(layer, "bin/busybox", Path(_BUSYBOX).read_bytes(), 0o755)
        for applet in subprocess.check_output([_BUSYBOX, "--list"], text=True).split():
            if applet != "busybox":
                link = tarfile.TarInfo(f"bin/{applet}")
                link.type, link.linkname = tarfile.SYMTYPE, "/bin/busybox"
                layer.addfile(link)
        _file(layer, "etc/passwd", _PASSWD.encode())
    return raw.getvalue()


def _file(archive: tarfile.TarFile, name: str, data: bytes, mode: int = 0o644) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(data), mode
    archive.addfile(entry, io.BytesIO(data))
