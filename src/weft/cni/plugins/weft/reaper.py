"""Removes links of deleted pods in groups, behind DEL's back.

The kernel waits for its readers at each removal: 15 to 20 ms for one link, and no more for a hundred of them.
"""

import errno
import logging
import threading
from collections.abc import Callable, Sequence

from weft.cni.plugins.weft.model import Attachment
from weft.kernel.port import Network
from weft.kernel.state.change import RemoveGroup

_log = logging.getLogger(__name__)
_RETRY_SECONDS = 1.0


class Reaper:
    """`gone` is told whose links, of group `group`, have been removed; by this thread or by a `flush`."""

    def __init__(self, network: Network, group: int, gone: Callable[[Sequence[Attachment]], None]) -> None:
        self._network = network
        self._group = group
        self._gone = gone
        self._waiting: list[Attachment] = []
        self._wake = threading.Event()
        self._closing = False
        self._reaping = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="cni-reaper", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        """Removes what is waiting, then ends."""
        self._closing = True
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join()
        self._network.close()

    def add(self, record: Attachment) -> None:
        """The link of `record` is in the group already."""
        self._waiting.append(record)
        self._wake.set()

    def flush(self) -> bool:
        """Removes now; False where the kernel refused."""
        with self._reaping:
            # Whose link joins the group after this line waits for the next round, even if the link goes in this one.
            records, self._waiting = self._waiting, []
            failures = self._network.apply([RemoveGroup(self._group)]) if records else ()
            if failures and failures[0].errno != errno.ENODEV:
                _log.error("links of deleted pods stay for now: %s", failures[0])
                self._waiting[:0] = records
                return False
            if records:
                self._gone(records)
            return True

    def _run(self) -> None:
        while not self._closing:
            self._wake.wait()
            self._wake.clear()
            if not self.flush() and not self._closing:
                threading.Event().wait(_RETRY_SECONDS)
                self._wake.set()
