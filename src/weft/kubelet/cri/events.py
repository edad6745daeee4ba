"""containerd's own event stream, so that an exit is known at once (containerd.services.events.v1).

CRI's GetContainerEvents is not implemented in containerd 1.6. Only two fields are read of an envelope, by the wire
format of Protocol Buffers itself, so no further stubs are needed.
"""

import asyncio
import logging
from collections.abc import Callable, Iterator
from typing import Any

from weft.kubelet.cri.client import Runtime

_METHOD = "/containerd.services.events.v1.Events/Subscribe"
_ENDED = b"/tasks/delete"
"""Comes after /tasks/exit, when containerd's CRI service has noticed the exit, too."""
_log = logging.getLogger(__name__)


def fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """(number, value) of each field of a message: varints as int, length-delimited ones as bytes.

    Raises ValueError on a truncated message. https://protobuf.dev/programming-guides/encoding/
    """
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        number, kind = key >> 3, key & 7
        if kind == 0:
            value, at = _varint(data, at)
            yield number, value
            continue
        if kind == 2:
            length, at = _varint(data, at)
        elif kind in (1, 5):
            length = 8 if kind == 1 else 4
        else:
            raise ValueError(f"wire type {kind} is not one of proto3")
        if at + length > len(data):
            raise ValueError("the message is truncated")
        yield number, data[at : at + length]
        at += length


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        if at >= len(data):
            raise ValueError("the message is truncated")
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at


def container_of(envelope: bytes) -> str:
    """The id of the container that ended; "" for any other event.

    Envelope: 3 topic, 4 event (Any: 2 value); in TaskDelete field 1 is the container's id.
    """
    outer = dict(fields(envelope))
    topic, event = outer.get(3, b""), outer.get(4, b"")
    if topic != _ENDED or not isinstance(event, bytes):
        return ""
    payload = dict(fields(event)).get(2, b"")
    identity = dict(fields(payload)).get(1, b"") if isinstance(payload, bytes) else b""
    return identity.decode() if isinstance(identity, bytes) else ""


async def follow(runtime: Runtime, on_container: Callable[[str], None], on_stream: Callable[[bool], None]) -> None:
    """Calls `on_container` with the id of each container that ended, until cancelled.

    `on_stream` tells whether events flow; while they do not, the caller has to poll.
    """
    while True:
        try:
            # SubscribeRequest: field 1, the filter, keeps other clients' namespaces out.
            subscribe = runtime.channel().unary_stream(
                _METHOD, request_serializer=_identity, response_deserializer=_identity
            )
            needle = b"namespace==k8s.io"
            call = subscribe(b"\x0a" + bytes([len(needle)]) + needle)
            on_stream(True)
            async for envelope in call:
                if container := container_of(envelope):
                    on_container(container)
        except asyncio.CancelledError:
            raise
        except Exception as error:  # gRPC's errors, a daemon that is not containerd, a broken message
            _log.debug("event stream broke off: %s", error)
        on_stream(False)
        await asyncio.sleep(1.0)


def _identity(data: Any) -> Any:
    return data
