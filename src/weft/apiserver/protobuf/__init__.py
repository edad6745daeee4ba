"""Request bodies of type `application/vnd.kubernetes.protobuf` (API concepts, "Kubernetes Protobuf encoding").

The envelope is `k8s\\0` and a runtime.Unknown, which holds apiVersion, kind and the bytes of the object.
"""

from weft.apiserver.protobuf.messages import message
from weft.apiserver.protobuf.wire import fields
from weft.apiserver.schema import check
from weft.apiserver.schema.check import Object
from weft.apiserver.schema.table import struct_of

MAGIC = b"k8s\x00"

__all__ = ["MAGIC", "decode"]


def decode(body: bytes) -> Object:
    """The object as its JSON would be, in canonical form. Raises ValueError for anything else than a known object."""
    if not body.startswith(MAGIC):
        raise ValueError("provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]")
    api_version, kind, raw = _unknown(body[len(MAGIC) :])
    group, _, version = api_version.rpartition("/")
    type_ = struct_of(group, version, kind)
    if type_ is None:
        raise ValueError(f'no kind "{kind}" is registered for version "{api_version}"')
    report = check(group, version, kind, {"apiVersion": api_version, "kind": kind, **message(type_.name, raw)})
    if report.errors:
        raise ValueError(report.errors[0])
    return report.object


def _unknown(data: bytes) -> tuple[str, str, bytes]:
    api_version = kind = ""
    raw = b""
    for number, _, value in fields(data):
        if not isinstance(value, bytes):
            continue
        if number == 1:
            for part, _, text in fields(value):
                if isinstance(text, bytes) and part == 1:
                    api_version = text.decode()
                elif isinstance(text, bytes) and part == 2:
                    kind = text.decode()
        elif number == 2:
            raw = value
    return api_version, kind, raw
