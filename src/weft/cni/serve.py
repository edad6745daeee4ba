"""The agent's Unix socket: the shim that a runtime starts passes each request here and prints the answer.

A request is the variables `CNI_…=value`, each ended by a zero byte, one more zero byte, and standard input up to the
end of the stream. The answer is the exit status in digits, a line feed, and standard output. A thread of its own serves
one request after the other: the kernel serialises changes of links anyway, and no event loop stands in the way.
"""

import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from weft.cni.dispatch import Plugin, dispatch, failure

_log = logging.getLogger(__name__)
_MOST = 1 << 20
_READ_TIMEOUT = 2.0


def decode_request(data: bytes) -> tuple[dict[str, str], bytes]:
    """Raises ValueError where there is no end of the variables. Bytes that are not UTF-8 are kept as surrogates."""
    environment: dict[str, str] = {}
    rest = data
    while not rest.startswith(b"\0"):
        pair, zero, rest = rest.partition(b"\0")
        if not zero:
            raise ValueError("a request without an empty variable at the end of the environment")
        name, _, value = pair.decode(errors="surrogateescape").partition("=")
        environment[name] = value
    return environment, rest[1:]


def encode_request(environment: Mapping[str, str], stdin: bytes) -> bytes:
    pairs = (f"{name}={value}".encode(errors="surrogateescape") + b"\0" for name, value in environment.items())
    return b"".join(pairs) + b"\0" + stdin


class CniServer:
    """`observed(verb, seconds, status)` is told of every request."""

    def __init__(
        self,
        path: Path,
        plugins: Mapping[str, Plugin],
        observed: Callable[[str, float, int], None] = lambda verb, seconds, status: None,
    ) -> None:
        self._path = path
        self._plugins = plugins
        self._observed = observed
        self._listener: socket.socket | None = None
        self._thread = threading.Thread(target=self._serve, name="cni", daemon=True)

    def start(self) -> None:
        """Raises ValueError that names the socket where it cannot be made."""
        fresh = self._path.with_name(f".{self._path.name}.{os.getpid()}")
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            fresh.unlink(missing_ok=True)
            listener.bind(str(fresh))
            os.chmod(fresh, 0o600)
            listener.listen(128)
            # By rename: a shim finds the old socket or the new one, never none.
            os.rename(fresh, self._path)
        except OSError as error:
            listener.close()
            raise ValueError(f"socket: cannot listen on {self._path}: {error.strerror or error}") from None
        self._listener = listener
        self._thread.start()

    def problem(self) -> str | None:
        """Why requests are not answered; None while they are."""
        return None if self._thread.is_alive() else "the thread that serves CNI has ended"

    def close(self) -> None:
        """Ends after the request that is being served; the socket's file stays, so that a shim says what is wrong."""
        if self._listener is not None:
            listener, self._listener = self._listener, None
            listener.shutdown(socket.SHUT_RDWR)
            self._thread.join()
            listener.close()

    def _serve(self) -> None:
        while (listener := self._listener) is not None:
            try:
                connection, _ = listener.accept()
            except OSError:
                continue
            with connection:
                try:
                    self._handle(connection)
                except OSError as error:
                    _log.warning("a CNI request broke off: %s", error)

    def _handle(self, connection: socket.socket) -> None:
        began = time.perf_counter()
        connection.settimeout(_READ_TIMEOUT)
        data = bytearray()
        while part := connection.recv(65536):
            data += part
            if len(data) > _MOST:
                raise OSError(f"more than {_MOST} bytes")
        environment: dict[str, str] = {}
        try:
            environment, stdin = decode_request(bytes(data))
            output, status = dispatch(self._plugins, environment, stdin)
        except Exception as error:
            _log.exception("CNI %s failed", environment.get("CNI_COMMAND"))
            output, status = failure(error)
        connection.sendall(b"%d\n" % status + output)
        verb = environment.get("CNI_COMMAND", "")
        taken = time.perf_counter() - began
        self._observed(verb, taken, status)
        report = _log.warning if status else _log.debug
        container, words = environment.get("CNI_CONTAINERID", ""), output.decode() if status else ""
        report(
            "CNI request served verb=%s container=%s ms=%.1f status=%d %s", verb, container, taken * 1e3, status, words
        )
