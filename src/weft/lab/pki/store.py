"""The lab's certificates on disk: what is there and holds is kept, what is missing or worn is issued."""

import datetime
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from weft.lab.pki.certificates import (
    Authority,
    Leaf,
    Pair,
    certificate_pem,
    issue,
    load_authority,
    load_key,
    new_authority,
    new_key,
    private_pem,
    public_pem,
    why_reissue,
)
from weft.lab.pki.layout import AUTHORITY_NAME, PairPaths, Pki, leaves, paths


def ensure(
    directory: Path,
    *,
    nodes: Mapping[str, Sequence[str]],
    addresses: Sequence[str],
    cluster_domain: str = "cluster.local",
    now: datetime.datetime | None = None,
) -> Pki:
    """Completes the PKI in `directory` and returns its paths. Calling it again changes nothing that still holds.

    `nodes`: node name → addresses of its kubelet. `addresses`: addresses (and further names) of the API server, its
    Service's first address included; the usual names and 127.0.0.1 are added. A leaf certificate is issued anew when
    it expires within 60 days, names others, or is not this authority's; authority and service account key never are.
    Every file is written by rename, a key before its certificate, so a kill at any instant leaves what the next call
    completes. Raises ValueError, naming the file and the remedy, where the authority cannot be used.
    """
    now = now or datetime.datetime.now(datetime.UTC)
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    pki = paths(directory, tuple(nodes))
    authority = _authority(pki.authority, now)
    _service_account(pki)
    for place, leaf in leaves(pki, nodes, addresses, cluster_domain):
        _leaf(authority, place, leaf, now)
    return pki


def write(path: Path, content: bytes, mode: int = 0o600, *, durable: bool = False) -> None:
    """Replaces `path` in one step; `durable` also outlives a loss of power."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # The name is fixed so that what a kill leaves is overwritten, not gathered; one lab's state has one writer.
    draft = path.with_name(f".{path.name}.new")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        if durable:
            file.flush()
            os.fsync(file.fileno())
    draft.replace(path)


def _authority(place: PairPaths, now: datetime.datetime) -> Authority:
    certificate, key = _read(place.certificate), _read(place.key)
    if certificate and not key:
        raise ValueError(
            f"{place.key}: is missing while {place.certificate.name} is there (restore it, or `weft down`)"
        )
    try:
        if certificate:
            authority = load_authority(Pair(certificate, key))
        else:
            authority = new_authority(AUTHORITY_NAME, now, load_key(key) if key else None)
    except ValueError as error:
        raise ValueError(f"{place.certificate}: cannot be used: {error} (restore it, or `weft down`)") from None
    if authority.certificate.not_valid_after_utc <= now:
        raise ValueError(f"{place.certificate}: has expired (`weft down`, then `weft up`)")
    if not key:
        write(place.key, private_pem(authority.key), durable=True)
    if not certificate:
        write(place.certificate, certificate_pem(authority.certificate), 0o644, durable=True)
    return authority


def _service_account(pki: Pki) -> None:
    pem = _read(pki.service_account_key)
    try:
        key = load_key(pem) if pem else new_key()
    except ValueError as error:
        raise ValueError(f"{pki.service_account_key}: cannot be used: {error} (restore it, or `weft down`)") from None
    if not pem:
        write(pki.service_account_key, private_pem(key), durable=True)
    if _read(pki.service_account_public) != (public := public_pem(key)):
        write(pki.service_account_public, public, 0o644)


def _leaf(authority: Authority, place: PairPaths, leaf: Leaf, now: datetime.datetime) -> None:
    certificate, key = _read(place.certificate), _read(place.key)
    if certificate and key and not why_reissue(authority, leaf, Pair(certificate, key), now):
        return
    pair = issue(authority, leaf, now)
    write(place.key, pair.key)
    write(place.certificate, pair.certificate, 0o644)


def _read(path: Path) -> bytes:
    """b"" stands for a missing file: an empty one (power was lost before its data came to disk) holds nothing."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""
