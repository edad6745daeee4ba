"""The lab's certificates: complete, kept, reissued when worn, and fit for a real TLS handshake."""

import datetime
import ssl
import stat
import time
from pathlib import Path

import pytest
import yaml
from cryptography import x509

from weft.cluster.real import kubeconfig as reader
from weft.lab import pki
from weft.lab.pki import certificates, store

NOW = datetime.datetime(2026, 11, 21, 12, tzinfo=datetime.UTC)
NODES = {"node1": ["172.30.1.11"], "node2": ["172.30.1.12", "fd00:172:30:1::12"], "node3": ["172.30.1.13"]}
ADDRESSES = ["172.30.1.2", "10.96.0.1"]


def _ensure(directory: Path, **changes: object) -> pki.Pki:
    arguments = {"nodes": NODES, "addresses": ADDRESSES, "now": NOW, **changes}
    return pki.ensure(directory, **arguments)  # type: ignore[arg-type]


def _files(directory: Path) -> dict[str, bytes]:
    return {str(path.relative_to(directory)): path.read_bytes() for path in directory.rglob("*") if path.is_file()}


def _certificate(path: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(path.read_bytes())


def test_layout_is_kubeadms(tmp_path: Path) -> None:
    _ensure(tmp_path / "pki")
    assert set(_files(tmp_path / "pki")) >= {
        "ca.crt", "ca.key", "apiserver.crt", "apiserver.key", "apiserver-kubelet-client.crt",
        "apiserver-kubelet-client.key", "sa.key", "sa.pub", "nodes/node1/kubelet.crt", "nodes/node1/kubelet.key",
    }  # fmt: skip


def test_keys_are_private(tmp_path: Path) -> None:
    _ensure(tmp_path / "pki")
    assert stat.S_IMODE((tmp_path / "pki").stat().st_mode) == 0o700
    keys = list((tmp_path / "pki").rglob("*.key"))
    assert len(keys) == 15
    assert {stat.S_IMODE(path.stat().st_mode) for path in keys} == {0o600}


def test_identities(tmp_path: Path) -> None:
    made = _ensure(tmp_path)
    subject = _certificate(made.nodes["node2"].client.certificate).subject.rfc4514_string()
    assert subject == "CN=system:node:node2,O=system:nodes"
    assert _certificate(made.clients["network"].certificate).subject.rfc4514_string() == "CN=system:weft:network"
    names = _certificate(made.nodes["node2"].serving.certificate).extensions.get_extension_for_class(
        x509.SubjectAlternativeName
    )
    assert [str(each) for each in names.value.get_values_for_type(x509.IPAddress)] == [
        "127.0.0.1", "172.30.1.12", "fd00:172:30:1::12",
    ]  # fmt: skip


def test_again_changes_nothing(tmp_path: Path) -> None:
    _ensure(tmp_path)
    before = {path: path.stat().st_ino for path in tmp_path.rglob("*")}
    _ensure(tmp_path, now=NOW + datetime.timedelta(days=300))
    assert {path: path.stat().st_ino for path in tmp_path.rglob("*")} == before


def test_changed_addresses_reissue_only_what_names_them(tmp_path: Path) -> None:
    _ensure(tmp_path)
    before = _files(tmp_path)
    made = _ensure(tmp_path, addresses=["172.30.2.2", "10.96.0.1"])
    after = _files(tmp_path)
    assert {name for name in before if before[name] != after[name]} == {"apiserver.crt", "apiserver.key"}
    names = _certificate(made.apiserver.certificate).extensions.get_extension_for_class(x509.SubjectAlternativeName)
    assert "172.30.2.2" in map(str, names.value.get_values_for_type(x509.IPAddress))


def test_certificates_near_their_end_are_reissued_and_the_authority_stays(tmp_path: Path) -> None:
    _ensure(tmp_path)
    before = _files(tmp_path)
    _ensure(tmp_path, now=NOW + datetime.timedelta(days=310))
    after = _files(tmp_path)
    kept = {"ca.crt", "ca.key", "sa.key", "sa.pub"}
    assert {name for name in before if before[name] == after[name]} == kept


def test_new_node_keeps_the_others(tmp_path: Path) -> None:
    _ensure(tmp_path)
    before = _files(tmp_path)
    _ensure(tmp_path, nodes={**NODES, "node4": ["172.30.1.14"]})
    after = _files(tmp_path)
    assert {name for name in after if before.get(name) != after[name]} == {
        f"nodes/node4/kubelet{suffix}" for suffix in (".crt", ".key", "-client.crt", "-client.key")
    }


class _Killed(BaseException):
    pass


def test_killed_at_any_write_the_next_call_completes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nodes = {"node1": ["172.30.1.11"]}
    real = store.write
    total = 2 * 10 + 2
    for survives in range(total):
        directory = tmp_path / str(survives)
        written = 0

        def dying(
            path: Path, content: bytes, mode: int = 0o600, *, durable: bool = False, last: int = survives
        ) -> None:
            nonlocal written
            if written == last:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.with_name(f".{path.name}.new").write_bytes(content[: len(content) // 2])
                raise _Killed
            real(path, content, mode, durable=durable)
            written += 1

        monkeypatch.setattr(store, "write", dying)
        with pytest.raises(_Killed):
            _ensure(directory, nodes=nodes)
        monkeypatch.setattr(store, "write", real)
        before = _files(directory)
        made = _ensure(directory, nodes=nodes)
        for name in ("ca.key", "ca.crt", "sa.key", "sa.pub"):
            assert before.get(name, b"") in (b"", _files(directory)[name])
        assert not list(directory.rglob("*.new")), survives
        authority = certificates.load_authority(
            certificates.Pair(made.authority.certificate.read_bytes(), made.authority.key.read_bytes())
        )
        _certificate(made.apiserver.certificate).verify_directly_issued_by(authority.certificate)
    assert len(_files(tmp_path / str(total - 1))) == total


def test_lost_key_of_the_authority_is_an_error(tmp_path: Path) -> None:
    made = _ensure(tmp_path)
    made.authority.key.unlink()
    before = _files(tmp_path)
    with pytest.raises(ValueError, match=r"ca\.key: is missing while ca\.crt is there"):
        _ensure(tmp_path)
    assert _files(tmp_path) == before


@pytest.mark.parametrize("name", ["ca.key", "ca.crt", "sa.key"])
def test_broken_file_is_an_error_that_names_it_and_shows_no_secret(tmp_path: Path, name: str) -> None:
    _ensure(tmp_path)
    (tmp_path / name).write_bytes(b"-----BEGIN SECRET-----\n")
    with pytest.raises(ValueError, match=r"(ca\.crt|sa\.key): cannot be used: ") as caught:
        _ensure(tmp_path)
    assert "SECRET" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_another_authoritys_certificate_is_replaced(tmp_path: Path) -> None:
    made = _ensure(tmp_path / "a")
    other = _ensure(tmp_path / "b")
    for path in (made.apiserver.certificate, made.apiserver.key):
        path.write_bytes((tmp_path / "b" / path.name).read_bytes())
    _ensure(tmp_path / "a")
    assert made.apiserver.certificate.read_bytes() != other.apiserver.certificate.read_bytes()


def test_secrets_are_not_in_repr() -> None:
    authority = certificates.new_authority("kubernetes", NOW)
    pair = certificates.issue(authority, certificates.Leaf("x"), NOW)
    assert "PRIVATE" not in repr(pair)
    assert "key=" not in repr(authority)


def test_kubeconfig_is_read_by_the_door_and_private(tmp_path: Path) -> None:
    made = pki.ensure(tmp_path / "pki", nodes=NODES, addresses=ADDRESSES)
    content = pki.kubeconfig(
        "https://172.30.1.2:6443", made, made.clients["admin"], cluster="weft", user="kubernetes-admin"
    )
    path = tmp_path / "admin.conf"
    pki.write_kubeconfig(path, content)
    inode = path.stat().st_ino
    pki.write_kubeconfig(path, content)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.stat().st_ino == inode
    assert yaml.safe_load(content)["current-context"] == "kubernetes-admin@weft"
    configuration = reader.load(path)
    assert configuration.server == "https://172.30.1.2:6443"
    assert configuration.tls is not None


def _handshake(server: ssl.SSLContext, client: ssl.SSLContext, name: str) -> tuple[bytes | None, Exception | None]:
    """Both sides in memory; the certificate that the server saw, or what either side refused."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = [
        server.wrap_bio(to_server, to_client, server_side=True),
        client.wrap_bio(to_client, to_server, server_hostname=name),
    ]
    for _ in range(6):
        for end in ends:
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                pass
            except ssl.SSLError as error:
                return None, error
    return ends[0].getpeercert(binary_form=True), None


def _contexts(made: pki.Pki, client: pki.PairPaths, trusted: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(made.apiserver.certificate, made.apiserver.key)
    server.load_verify_locations(made.ca_certificate)
    server.verify_mode = ssl.CERT_OPTIONAL
    asking = ssl.create_default_context(cafile=str(trusted))
    # What Python 3.13 sets of its own: RFC 5280 to the letter.
    asking.verify_flags |= ssl.VERIFY_X509_STRICT
    asking.load_cert_chain(client.certificate, client.key)
    return server, asking


@pytest.mark.parametrize("name", ["172.30.1.2", "10.96.0.1", "127.0.0.1", "kubernetes.default.svc.cluster.local"])
def test_tls_handshake(tmp_path: Path, name: str) -> None:
    made = pki.ensure(tmp_path, nodes=NODES, addresses=ADDRESSES)
    contexts = _contexts(made, made.nodes["node1"].client, made.ca_certificate)
    seen, refused = _handshake(*contexts, name)
    assert refused is None
    assert seen is not None
    assert "system:node:node1" in x509.load_der_x509_certificate(seen).subject.rfc4514_string()


def test_tls_refuses_another_name_another_authority_and_a_serving_certificate(tmp_path: Path) -> None:
    made = pki.ensure(tmp_path / "a", nodes=NODES, addresses=ADDRESSES)
    other = pki.ensure(tmp_path / "b", nodes=NODES, addresses=ADDRESSES)
    right = made.nodes["node1"].client
    assert _handshake(*_contexts(made, right, made.ca_certificate), "172.30.1.3")[1] is not None
    assert _handshake(*_contexts(made, right, other.ca_certificate), "172.30.1.2")[1] is not None
    for forged in (other.clients["admin"], made.nodes["node1"].serving):
        seen, refused = _handshake(*_contexts(made, forged, made.ca_certificate), "172.30.1.2")
        assert refused is not None or seen is None


def test_quick(tmp_path: Path) -> None:
    """100 ms is the promise on an idle machine; the best of five leaves the neighbours out."""
    best = min(_timed(tmp_path / str(attempt)) for attempt in range(5))
    assert best <= 0.1


def _timed(directory: Path) -> float:
    start = time.perf_counter()
    _ensure(directory)
    return time.perf_counter() - start
