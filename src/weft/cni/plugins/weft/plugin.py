"""The six verbs of `weft`. One thread calls them, one after the other; the reaper and the agent's loop come between.

An address is recorded before its link is made, and free again only after its link is gone: a kill -9 in between leaves
a record without a link, which `start` forgets, or a link in the leaving group, which it removes.
"""

import errno
import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import msgspec

from weft.cni import errors as codes
from weft.cni.errors import CniError
from weft.cni.plugins.weft import plan
from weft.cni.plugins.weft.config import Settings
from weft.cni.plugins.weft.model import (
    LEAVING_GROUP,
    LINK_PREFIX,
    Attachment,
    addresses_in_alias,
    attachment_key,
    link_name,
    mac_of,
)
from weft.cni.plugins.weft.reaper import Reaper
from weft.cni.request import Request
from weft.cni.result import Result
from weft.ipam.allocator import Exhausted
from weft.ipam.journal import Journal
from weft.ipam.pool import Pool
from weft.kernel.errors import KernelError
from weft.kernel.port import Network
from weft.kernel.state.address import Interface
from weft.kernel.state.change import Regroup, Remove
from weft.kernel.state.link import Link, Veth

_log = logging.getLogger(__name__)


class WeftPlugin:
    """`open_network("")` opens the node's namespace, `open_network(path)` a pod's."""

    def __init__(self, journal: Journal[Attachment], open_network: Callable[[str], Network]) -> None:
        self._journal = journal
        self._open = open_network
        self._node = open_network("")
        self._reaper = Reaper(open_network(""), LEAVING_GROUP, self._forget)
        self._lock = threading.Lock()
        self._settings: Settings | None = None
        self._pool = Pool(())
        self._why_not = "the node has no pod range yet (spec.podCIDRs)"

    # -- the agent's side

    def start(self) -> None:
        """Recovers, then reaps from a thread of its own. Raises KernelError, OSError."""
        self.recover()
        self._reaper.start()

    def reap(self) -> None:
        """Removes now what is leaving."""
        self._reaper.flush()

    def recover(self) -> None:
        """Makes records and links agree, after whatever ended the last run."""
        links = {link.name: link for link in self._node.observe(addresses=False, routes=False, neighbours=False).links}
        for record in self._journal.values():
            link = links.pop(record.link, None)
            if link is None:
                self._journal.delete(record.key)
            elif record.leaving or link.group == LEAVING_GROUP:
                self._leave(record)
        for link in links.values():
            if link.name.startswith(LINK_PREFIX) and isinstance(link.kind, Veth):
                self._adopt(link)

    def _adopt(self, link: Link) -> None:
        """A link without a record: the records were lost, or it is half made."""
        if addresses := addresses_in_alias(link.alias or ""):
            texts = tuple(str(address) for address in addresses)
            record = Attachment("", "", link.name, "", link.name, mac_of(addresses[0]), texts)
            self._journal.put(record.key, record)
            _log.warning("addresses %s stay with link %s, whose record is lost", texts, link.name)
        else:
            self._node.apply([Remove(link)])

    def configure(self, settings: Settings | None, why_not: str = "") -> None:
        """From now on ADD uses these settings; None and a reason: ADD must wait."""
        with self._lock:
            self._why_not = why_not or self._why_not
            if settings is not None and (self._settings is None or self._settings.ranges != settings.ranges):
                self._pool = Pool(settings.ranges)
                for record in self._journal.values():
                    self._pool.take(record.bare_addresses())
            self._settings = settings

    def close(self) -> None:
        self._reaper.close()
        self._node.close()
        self._journal.close()

    @property
    def addresses_in_use(self) -> tuple[int, ...]:
        """For each range."""
        return self._pool.in_use

    @property
    def attachments(self) -> tuple[Attachment, ...]:
        with self._lock:
            return self._journal.values()

    # -- the runtime's side

    def add(self, request: Request) -> Result:
        settings = self._ready()
        known = self._journal.get(attachment_key(request.container, request.ifname))
        with self._opened(request.netns) as pod:
            if known is not None:
                if not known.leaving and known.netns == request.netns and not self._faults(known, settings, pod):
                    return plan.result(known, settings)
                self._discard(known)
            attachment = self._reserve(request, settings)
            try:
                self._connect(attachment, settings, request, pod)
            except BaseException:
                self._discard(attachment)
                raise
        return plan.result(attachment, settings)

    def delete(self, request: Request) -> None:
        record = self._journal.get(attachment_key(request.container, request.ifname))
        if record is not None and not record.leaving:
            self._leave(record)

    def check(self, request: Request) -> None:
        settings = self._ready()
        record = self._journal.get(attachment_key(request.container, request.ifname))
        if record is None or record.leaving:
            raise CniError(codes.UNKNOWN_CONTAINER, f"container {request.container} has no {request.ifname} of ours")
        with self._opened(request.netns) as pod:
            faults = self._faults(record, settings, pod)
        if request.config.previous is not None:
            told = {str(entry.get("address")) for entry in request.config.previous.get("ips") or ()}
            faults += [f"prevResult does not have {own}" for own in record.addresses if own not in told]
        if faults:
            raise CniError(codes.NOT_AS_MADE, faults[0], "; ".join(faults))

    def gc(self, request: Request) -> None:
        if request.config.valid is None:
            raise CniError(codes.INVALID_CONFIG, "cni.dev/valid-attachments is missing: GC must know what to keep")
        valid = {attachment_key(kept.container, kept.ifname) for kept in request.config.valid}
        for record in self._journal.values():
            if record.network in (request.config.name, "") and record.key not in valid and not record.leaving:
                _log.info("attachment is collected container=%s link=%s", record.container, record.link)
                self._leave(record)

    def status(self, request: Request) -> None:
        settings = self._ready(codes.NOT_AVAILABLE)
        bridge = self._node.link(settings.bridge)
        if bridge is None or not bridge.up:
            raise CniError(codes.NOT_AVAILABLE, f"bridge {settings.bridge} is {'down' if bridge else 'missing'}")

    # -- steps

    def _ready(self, code: int = codes.TRY_AGAIN_LATER) -> Settings:
        settings = self._settings
        if settings is None:
            raise CniError(code, f"the pod network is not ready: {self._why_not}")
        return settings

    def _reserve(self, request: Request, settings: Settings) -> Attachment:
        try:
            with self._lock:
                addresses = self._pool.allocate()
        except Exhausted:
            # What DEL has answered and the kernel has not removed yet is all that may be left.
            self._reaper.flush()
            addresses = self._last_chance()
        attachment = Attachment(
            network=request.config.name,
            container=request.container,
            ifname=request.ifname,
            netns=request.netns,
            link=link_name(request.container, request.ifname),
            mac=mac_of(addresses[0].ip),
            addresses=tuple(str(address) for address in addresses),
        )
        with self._lock:
            self._journal.put(attachment.key, attachment)
        return attachment

    def _last_chance(self) -> tuple[Interface, ...]:
        try:
            with self._lock:
                return self._pool.allocate()
        except Exhausted as error:
            raise CniError(codes.NO_ADDRESS, str(error)) from None

    def _connect(self, attachment: Attachment, settings: Settings, request: Request, pod: Network) -> None:
        changes = plan.on_node(attachment, settings, request.args)
        failures = self._node.apply(changes)
        if failures and failures[0].errno == errno.EEXIST:
            # The same pod's last link may still be leaving.
            self._reaper.flush()
            failures = self._node.apply(changes)
        failures = failures or pod.apply(plan.in_pod(attachment, settings))
        if failures:
            raise CniError(codes.KERNEL_REFUSED, str(failures[0]), "; ".join(map(str, failures[1:])))

    def _leave(self, record: Attachment) -> None:
        """The quick half of removing: answered in 0.2 ms, the rest is the reaper's."""
        failures = self._node.apply([Regroup(record.link, LEAVING_GROUP)])
        if failures and failures[0].errno != errno.ENODEV:
            raise CniError(codes.KERNEL_REFUSED, str(failures[0]))
        with self._lock:
            if failures:
                self._release(record)
                return
            leaving = msgspec.structs.replace(record, leaving=True)
            self._journal.put(record.key, leaving)
        self._reaper.add(leaving)

    def _discard(self, record: Attachment) -> None:
        """Removes at once, whatever there is."""
        self._node.apply([Remove(Link(record.link))])
        with self._lock:
            self._release(record)

    def _forget(self, records: Sequence[Attachment]) -> None:
        with self._lock:
            for record in records:
                # Not a newer record of the same name: that one's link may still be there.
                if self._journal.get(record.key) is record:
                    self._release(record)

    def _faults(self, record: Attachment, settings: Settings, pod: Network) -> list[str]:
        return plan.faults(record, settings, self._node.link(record.link), pod.observe(neighbours=False))

    @contextmanager
    def _opened(self, netns: str) -> Iterator[Network]:
        try:
            network = self._open(netns)
        except KernelError as error:
            raise CniError(codes.UNKNOWN_CONTAINER, f"CNI_NETNS: {error}") from None
        try:
            yield network
        finally:
            network.close()

    def _release(self, record: Attachment) -> None:
        self._journal.delete(record.key)
        self._pool.release(record.bare_addresses())
