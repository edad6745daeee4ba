"""Objects in the forms that are on offer: themselves, Tables, and metadata alone. Pure."""

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from weft.apiserver import tables
from weft.apiserver.http.negotiate import Output
from weft.apiserver.registry.kind import Kind, Object
from weft.apiserver.storage.record import decode, encode


class _Metadata(msgspec.Struct):
    metadata: msgspec.Raw


_metadata_decoder = msgspec.json.Decoder(_Metadata)
_PARTIAL = b'{"kind":"PartialObjectMetadata","apiVersion":"meta.k8s.io/v1","metadata":'


def partial(data: bytes) -> bytes:
    return _PARTIAL + bytes(_metadata_decoder.decode(data).metadata) + b"}"


def one(kind: Kind, data: bytes, output: Output, include: str, now: float) -> bytes:
    """A single object's bytes in the form of `output`."""
    if output.form == "table":
        obj = decode(data)
        version = obj.get("metadata", {}).get("resourceVersion", "")
        return encode(tables.table(kind, [obj], version, include, now))
    if output.form == "partial":
        return partial(data)
    return data


def listing(
    kind: Kind, items: Sequence[bytes], meta: dict[str, Any], output: Output, include: str, now: float
) -> bytes:
    """A list's bytes, made of its items' bytes."""
    if output.form == "table":
        made: Object = tables.table(kind, [decode(item) for item in items], meta["resourceVersion"], include, now)
        made["metadata"] = meta
        return encode(made)
    if output.form in ("partial_list", "partial"):
        return _join("PartialObjectMetadataList", "meta.k8s.io/v1", meta, map(partial, items))
    return _join(f"{kind.resource.kind}List", kind.resource.api_version, meta, items)


def _join(kind: str, api_version: str, meta: dict[str, Any], items: Iterable[bytes]) -> bytes:
    head = encode({"kind": kind, "apiVersion": api_version, "metadata": meta})
    return head[:-1] + b',"items":[' + b",".join(items) + b"]}"
