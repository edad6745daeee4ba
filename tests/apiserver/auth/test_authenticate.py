"""Certificates: whom they name, over a real TLS handshake, and forged ones refused."""

import asyncio
import datetime
import hashlib
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509.oid import NameOID
from tests.apiserver.auth.conftest import Server, service_account

from weft.apiserver.auth import Unauthenticated, User
from weft.apiserver.auth.tokens.claims import Binding, Reference
from weft.lab import pki
from weft.lab.pki.certificates import Authority, Leaf, issue, load_authority, new_authority
from weft.lab.pki.certificates import Pair as PemPair

NOW = datetime.datetime.now(datetime.UTC)


def _der(authority: Authority, leaf: Leaf, now: datetime.datetime = NOW) -> bytes:
    certificate = x509.load_pem_x509_certificate(issue(authority, leaf, now).certificate)
    return certificate.public_bytes(serialization.Encoding.DER)


def _nameless(authority: Authority) -> bytes:
    masters = x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "system:masters")])
    builder = (
        x509.CertificateBuilder()
        .subject_name(masters)
        .issuer_name(authority.certificate.subject)
        .public_key(authority.key.public_key())
        .serial_number(1)
        .not_valid_before(NOW - datetime.timedelta(days=1))
        .not_valid_after(NOW + datetime.timedelta(days=1))
    )
    return builder.sign(authority.key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)


@pytest.fixture
def authority(server: Server) -> Authority:
    server.clock.now = NOW.timestamp()
    return new_authority("kubernetes", NOW)


async def test_common_name_and_organizations(server: Server, authority: Authority) -> None:
    der = _der(authority, Leaf("bob", ("devs", "ops")))
    assert await server.control.authenticate(der, "") == User(
        "bob",
        groups=("devs", "ops", "system:authenticated"),
        extra={"authentication.kubernetes.io/credential-id": (f"X509SHA256={hashlib.sha256(der).hexdigest()}",)},
    )


async def test_nobody_in_particular(server: Server) -> None:
    anonymous = User("system:anonymous", groups=("system:unauthenticated",))
    for authorization in ("", "Basic Ym9iOmJvYg==", "Bearer", "Bearer ", "bogus"):
        assert await server.control.authenticate(None, authorization) == anonymous


async def test_a_certificate_wins_over_a_token(server: Server, authority: Authority) -> None:
    assert (await server.control.authenticate(_der(authority, Leaf("bob")), "Bearer rubbish")).name == "bob"


async def test_a_certificate_outlived_by_its_connection(server: Server, authority: Authority) -> None:
    der = _der(authority, Leaf("bob"))
    await server.control.authenticate(der, "")
    server.clock.now += 366 * 24 * 3600
    with pytest.raises(Unauthenticated, match="has expired"):
        await server.control.authenticate(der, "")
    server.clock.now -= 400 * 24 * 3600
    with pytest.raises(Unauthenticated, match="not valid yet"):
        await server.control.authenticate(der, "")
    server.put(service_account("default", "robot", "u"))
    token = server.control.tokens.issue(
        Binding("default", serviceaccount=Reference("robot", "u")), server.control.tokens.audiences, 600
    )
    assert (await server.control.authenticate(der, f"bearer {token}")).uid == "u"


async def test_a_certificate_without_a_name_is_nobodys(server: Server, authority: Authority) -> None:
    der = _nameless(authority)
    assert (await server.control.authenticate(der, "")).name == "system:anonymous"


async def test_unreadable(server: Server) -> None:
    with pytest.raises(Unauthenticated):
        await server.control.authenticate(b"\x30\x00", "")


async def test_bad_tokens_are_no_anonymous(server: Server) -> None:
    with pytest.raises(Unauthenticated):
        await server.control.authenticate(None, "Bearer rubbish")


@asynccontextmanager
async def _serving(server: Server, made: pki.Pki) -> AsyncIterator[int]:
    """A TLS server that answers each connection with the user's name."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        line = (await reader.readline()).decode().strip()
        tls: ssl.SSLObject = writer.get_extra_info("ssl_object")
        try:
            user = await server.control.authenticate(tls.getpeercert(binary_form=True), line)
            writer.write(f"{user.name} {','.join(user.groups)}\n".encode())
        except Unauthenticated:
            writer.write(b"401\n")
        writer.close()

    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(made.apiserver.certificate, made.apiserver.key)
    tls.load_verify_locations(made.ca_certificate)
    tls.verify_mode = ssl.CERT_OPTIONAL
    listening = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=tls)
    try:
        yield listening.sockets[0].getsockname()[1]
    finally:
        listening.close()
        await listening.wait_closed()


async def _ask(port: int, made: pki.Pki, client: pki.PairPaths | None, line: str = "") -> str:
    tls = ssl.create_default_context(cafile=str(made.ca_certificate))
    if client:
        tls.load_cert_chain(client.certificate, client.key)
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=tls)
        writer.write(f"{line}\n".encode())
        answer = await reader.readline()
    except (ssl.SSLError, ConnectionError):
        return "refused"
    writer.close()
    return answer.decode().strip() or "refused"


async def test_over_tls(server: Server, tmp_path: Path) -> None:
    server.clock.now = NOW.timestamp()
    arguments = {"nodes": {"node1": ["127.0.0.2"]}, "addresses": ["127.0.0.1"], "now": NOW}
    made = pki.ensure(tmp_path / "a", **arguments)  # type: ignore[arg-type]
    other = pki.ensure(tmp_path / "b", **arguments)  # type: ignore[arg-type]
    expired = _written(made, tmp_path, Leaf("late", ("system:masters",)), NOW - datetime.timedelta(days=400))
    selfmade = new_authority("root", NOW).pair()
    forged = _placed(selfmade, tmp_path / "selfmade")
    async with _serving(server, made) as port:
        assert await _ask(port, made, made.clients["admin"]) == "kubernetes-admin system:masters,system:authenticated"
        assert await _ask(port, made, made.nodes["node1"].client) == (
            "system:node:node1 system:nodes,system:authenticated"
        )
        assert await _ask(port, made, None) == "system:anonymous system:unauthenticated"
        assert await _ask(port, made, None, "Bearer x") == "401"
        for bad in (other.clients["admin"], made.nodes["node1"].serving, expired, forged):
            assert await _ask(port, made, bad) == "refused"


def _written(made: pki.Pki, directory: Path, leaf: Leaf, now: datetime.datetime) -> pki.PairPaths:
    pair = PemPair(made.authority.certificate.read_bytes(), made.authority.key.read_bytes())
    return _placed(issue(load_authority(pair), leaf, now), directory / leaf.common_name)


def _placed(pair: PemPair, stem: Path) -> pki.PairPaths:
    paths = pki.PairPaths(stem.with_suffix(".crt"), stem.with_suffix(".key"))
    paths.certificate.write_bytes(pair.certificate)
    paths.key.write_bytes(pair.key)
    return paths
