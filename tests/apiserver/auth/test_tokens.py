"""ServiceAccount tokens: what is issued verifies; tampered, expired, foreign and orphaned ones do not."""

import base64
import json
import logging
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.apiserver.auth.conftest import Server, pod, service_account

from weft.apiserver.auth import AccessControl, Unauthenticated, load_public_key, load_signing_key
from weft.apiserver.auth.tokens import issuer as issuer_module
from weft.apiserver.auth.tokens.claims import Binding, Reference
from weft.apiserver.auth.tokens.keys import SigningKey
from weft.lab.pki.certificates import new_key, private_pem, public_pem

ROBOT = Binding("default", serviceaccount=Reference("robot", "sa-uid"))
ISSUER = "https://kubernetes.default.svc.cluster.local"


@pytest.fixture
def running(server: Server) -> Server:
    server.put(service_account("default", "robot", "sa-uid"))
    return server


def _why(server: Server, token: str, *audiences: str) -> str:
    with pytest.raises(Unauthenticated) as caught:
        server.control.tokens.verify(token, audiences)
    return str(caught.value)


async def test_round_trip(running: Server) -> None:
    token = running.control.tokens.issue(ROBOT, [ISSUER], 600)
    user = await running.control.authenticate(None, f"Bearer {token}")
    assert user.name == "system:serviceaccount:default:robot"
    assert user.uid == "sa-uid"
    assert user.groups == ("system:serviceaccounts", "system:serviceaccounts:default", "system:authenticated")
    claims = json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))
    assert user.extra == {"authentication.kubernetes.io/credential-id": (f"JTI={claims['jti']}",)}
    now = running.clock.now
    assert {**claims, "jti": ""} == {
        "aud": [ISSUER], "exp": now + 600, "iat": now, "iss": ISSUER, "jti": "", "nbf": now,
        "sub": "system:serviceaccount:default:robot",
        "kubernetes.io": {"namespace": "default", "serviceaccount": {"name": "robot", "uid": "sa-uid"}},
    }  # fmt: skip
    assert json.loads(base64.urlsafe_b64decode(token.split(".")[0] + "==")) == {
        "alg": "ES256",
        "kid": running.control.tokens.keys[0].id,
    }


def test_pod_and_node_are_told(running: Server) -> None:
    running.put(pod("web", uid="pod-uid"))
    bound = Binding(
        "default", pod=Reference("web", "pod-uid"), node=Reference("n1", "n"), serviceaccount=ROBOT.serviceaccount
    )
    user = running.control.tokens.verify(running.control.tokens.issue(bound, [ISSUER], 600)).user
    extra = {key.removeprefix("authentication.kubernetes.io/"): value for key, value in user.extra.items()}
    del extra["credential-id"]
    assert extra == {"pod-name": ("web",), "pod-uid": ("pod-uid",), "node-name": ("n1",), "node-uid": ("n",)}


def test_time(running: Server) -> None:
    token = running.control.tokens.issue(ROBOT, [ISSUER], 600)
    start = running.clock.now
    running.clock.now = start + 659
    running.control.tokens.verify(token)
    running.clock.now = start + 661
    assert _why(running, token) == "service account token has expired"
    running.clock.now = start - 59
    running.control.tokens.verify(token)
    running.clock.now = start - 61
    assert _why(running, token) == "service account token is not valid yet"


def test_audiences(running: Server) -> None:
    tokens = running.control.tokens
    vault = tokens.issue(ROBOT, ["vault"], 600)
    assert _why(running, vault) == f'token audiences ["vault"] is invalid for the target audiences ["{ISSUER}"]'
    assert tokens.verify(vault, ["vault", "other"]).audiences == ("vault",)
    both = tokens.issue(ROBOT, ["vault", ISSUER], 600)
    assert tokens.verify(both).audiences == (ISSUER,)
    assert "target audiences" in _why(running, both, "other")


def test_the_account_must_live_and_be_the_same(running: Server) -> None:
    token = running.control.tokens.issue(ROBOT, [ISSUER], 600)
    running.control.tokens.verify(token)
    account = service_account("default", "robot", "sa-uid")
    account["metadata"]["deletionTimestamp"] = "2023-11-14T22:13:20Z"
    running.put(account)
    running.control.tokens.verify(token)
    running.clock.now += 61
    assert _why(running, token) == "service account default/robot has been deleted"
    running.put(service_account("default", "robot", "new"))
    assert _why(running, token) == "service account UID (new) does not match claim (sa-uid)"
    running.remove(service_account("default", "robot", "new"))
    assert _why(running, token) == 'serviceaccounts "robot" not found'


@pytest.mark.parametrize(
    ("kind", "namespace", "message"),
    [
        ("Pod", "default", "pod UID (other) does not match service account pod ref claim (it)"),
        ("Secret", "default", "secret UID (other) does not match service account secret ref claim (it)"),
        ("Node", "", "node UID (other) does not match service account node ref claim (it)"),
    ],
)
def test_it_dies_with_what_it_is_bound_to(running: Server, kind: str, namespace: str, message: str) -> None:
    def bound(uid: str) -> dict[str, Any]:
        metadata = {"name": "x", "uid": uid, **({"namespace": namespace} if namespace else {})}
        return {"kind": kind, "metadata": metadata}

    running.put(bound("it"))
    binding = Binding("default", **{kind.lower(): Reference("x", "it")}, serviceaccount=ROBOT.serviceaccount)
    token = running.control.tokens.issue(binding, [ISSUER], 600)
    running.control.tokens.verify(token)
    running.put(bound("other"))
    assert _why(running, token) == message
    running.remove(bound("other"))
    assert _why(running, token) == "service account token has been invalidated"


def test_other_keys_issuers_and_algorithms(running: Server, signing: SigningKey) -> None:
    tokens = running.control.tokens
    good = tokens.issue(ROBOT, [ISSUER], 600)
    payload = jwt.decode(good, options={"verify_signature": False})
    own = tokens.keys[0]
    other = ec.generate_private_key(ec.SECP256R1())
    forged = [
        jwt.encode(payload, other, "ES256"),
        jwt.encode(payload, other, "ES256", headers={"kid": own.id}),
        jwt.encode(payload, rsa.generate_private_key(65537, 2048), "RS256", headers={"kid": own.id}),
        jwt.encode(payload, None, "none", headers={"kid": own.id}),
        jwt.encode({**payload, "iss": "https://elsewhere"}, signing.key, "ES256", headers={"kid": own.id}),
        # The public key as the secret of an HMAC: the oldest trick.
        _hmac(payload, own.id, running),
        good.rpartition(".")[0] + ".",
        good + "A",
        "a.b.c", "x", "..", "a" * 10_000, "\udcff",
    ]  # fmt: skip
    for token in forged:
        assert _why(running, token) == "invalid bearer token", token
    assert len(tokens._verified) == 0


def _hmac(payload: dict[str, Any], key_id: str, server: Server) -> str:
    import hashlib
    import hmac

    def encoded(data: bytes) -> bytes:
        return base64.urlsafe_b64encode(data).rstrip(b"=")

    head = encoded(json.dumps({"alg": "HS256", "kid": key_id}).encode()) + b"." + encoded(json.dumps(payload).encode())
    secret = json.dumps(server.control.jwks()).encode()
    return (head + b"." + encoded(hmac.digest(secret, head, hashlib.sha256))).decode()


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_no_changed_character_survives(data: st.DataObject) -> None:
    server = _shared()
    token = _token(server)
    position = data.draw(st.integers(0, len(token) - 1))
    character = data.draw(st.sampled_from('ABCDEFabcdef0123456789-_.{}"\n\x00é'))
    changed = token[:position] + character + token[position + 1 :]
    if changed == token or _same_bytes(changed, token):
        return
    with pytest.raises(Unauthenticated):
        server.control.tokens.verify(changed)


def _same_bytes(one: str, other: str) -> bool:
    """The last character of base64 has bits that mean nothing."""
    try:
        return [base64.urlsafe_b64decode(part + "==") for part in one.split(".")] == [
            base64.urlsafe_b64decode(part + "==") for part in other.split(".")
        ]
    except ValueError:
        return False


_SHARED: list[Any] = []


def _shared() -> Server:
    if not _SHARED:
        server = Server(load_signing_key(private_pem(new_key())))
        server.put(service_account("default", "robot", "sa-uid"))
        _SHARED.extend([server, server.control.tokens.issue(ROBOT, [ISSUER], 600)])
    found: Server = _SHARED[0]
    return found


def _token(_: Server) -> str:
    return str(_SHARED[1])


def test_keys_rotate(running: Server) -> None:
    token = running.control.tokens.issue(ROBOT, [ISSUER], 600)
    old = running.control.tokens.keys[0]
    new = AccessControl(load_signing_key(private_pem(new_key())), verifying=[old], clock=running.clock)
    new._live = running.control._live
    new.tokens._live = running.control._live
    assert new.tokens.verify(token).user.uid == "sa-uid"
    assert [key["kid"] for key in new.jwks()["keys"]] == [new.tokens.keys[0].id, old.id]


def test_what_is_remembered_is_bounded(running: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(issuer_module, "_REMEMBERED", 3)
    for seconds in range(600, 610):
        running.control.tokens.verify(running.control.tokens.issue(ROBOT, [ISSUER], seconds))
    assert len(running.control.tokens._verified) <= 3


def test_documents_verify_tokens_as_clients_do(running: Server) -> None:
    token = running.control.tokens.issue(ROBOT, ["vault"], 600)
    keys = jwt.PyJWKSet.from_dict(running.control.jwks())
    claims = jwt.decode(
        token, keys.keys[0], audience="vault", issuer=ISSUER,
        options={"verify_exp": False, "verify_iat": False, "verify_nbf": False},
    )  # fmt: skip
    assert claims["sub"] == "system:serviceaccount:default:robot"
    assert running.control.openid_configuration("https://172.30.1.2:6443/openid/v1/jwks") == {
        "issuer": ISSUER,
        "jwks_uri": "https://172.30.1.2:6443/openid/v1/jwks",
        "response_types_supported": ["id_token"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["ES256"],
    }


def test_rsa_keys_work_too() -> None:
    from cryptography.hazmat.primitives import serialization

    pem = rsa.generate_private_key(65537, 2048).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    server = Server(load_signing_key(pem))
    server.put(service_account("default", "robot", "sa-uid"))
    assert server.control.tokens.verify(server.control.tokens.issue(ROBOT, [ISSUER], 600)).user.uid == "sa-uid"
    key = server.control.jwks()["keys"][0]
    assert (key["kty"], key["alg"], key["e"]) == ("RSA", "RS256", "AQAB")


@pytest.mark.parametrize("pem", [b"", b"x", b"-----BEGIN PRIVATE KEY-----\nSECRET\n-----END PRIVATE KEY-----\n"])
def test_a_bad_key_is_a_value_error_without_its_content(pem: bytes) -> None:
    for load in (load_signing_key, load_public_key):
        with pytest.raises(ValueError, match=r"^is n") as caught:
            load(pem)
        assert "SECRET" not in str(caught.value)


def test_the_public_file_is_enough_to_verify() -> None:
    key = new_key()
    assert load_public_key(public_pem(key)).id == load_public_key(private_pem(key)).id


def test_secrets_are_in_no_repr_and_no_log(running: Server, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    token = running.control.tokens.issue(ROBOT, [ISSUER], 600)
    running.control.tokens.verify(token)
    _why(running, token + "A")
    signature = token.rpartition(".")[2]
    for text in (caplog.text, repr(running.control.tokens), repr(running.control.tokens.keys), repr(running.control)):
        assert signature not in text
        assert "PRIVATE" not in text
