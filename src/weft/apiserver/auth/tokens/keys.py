"""The keys of ServiceAccount tokens: identifiers, algorithms, JSON Web Keys (RFC 7517, RFC 7518). Pure."""

import base64
import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

_CURVES = {"secp256r1": ("ES256", "P-256"), "secp384r1": ("ES384", "P-384"), "secp521r1": ("ES512", "P-521")}


@dataclass(frozen=True)
class PublicKey:
    """A key that verifies. Its kind alone decides the algorithm: what a token's header claims never does."""

    key: ec.EllipticCurvePublicKey | rsa.RSAPublicKey = field(repr=False)
    id: str
    algorithm: str


@dataclass(frozen=True)
class SigningKey:
    key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey = field(repr=False)
    public: PublicKey


def load_signing_key(pem: bytes) -> SigningKey:
    """Raises ValueError unless `pem` is an unencrypted RSA or elliptic curve private key."""
    try:
        key = serialization.load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise ValueError("is not an unencrypted private key in PEM") from None
    if not isinstance(key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey):
        raise ValueError("is neither an RSA nor an elliptic curve key")
    return SigningKey(key, _public(key.public_key()))


def load_public_key(pem: bytes) -> PublicKey:
    """From a public or a private key. Raises ValueError as load_signing_key does."""
    if b"PRIVATE KEY" in pem:
        return load_signing_key(pem).public
    try:
        key = serialization.load_pem_public_key(pem)
    except (ValueError, UnsupportedAlgorithm):
        raise ValueError("is not a public key in PEM") from None
    if not isinstance(key, ec.EllipticCurvePublicKey | rsa.RSAPublicKey):
        raise ValueError("is neither an RSA nor an elliptic curve key")
    return _public(key)


def json_web_key(public: PublicKey) -> dict[str, str]:
    found = {"use": "sig", "kid": public.id, "alg": public.algorithm}
    if isinstance(public.key, rsa.RSAPublicKey):
        numbers = public.key.public_numbers()
        return {**found, "kty": "RSA", "n": _integer(numbers.n), "e": _integer(numbers.e)}
    size = (public.key.key_size + 7) // 8
    point = public.key.public_numbers()
    curve = _CURVES[public.key.curve.name][1]
    return {**found, "kty": "EC", "crv": curve, "x": _integer(point.x, size), "y": _integer(point.y, size)}


def key_set(keys: Iterable[PublicKey]) -> dict[str, Any]:
    """The document at /openid/v1/jwks (application/jwk-set+json)."""
    return {"keys": [json_web_key(key) for key in keys]}


def openid_configuration(issuer: str, jwks_uri: str, keys: Sequence[PublicKey]) -> dict[str, Any]:
    """The document at /.well-known/openid-configuration ("ServiceAccount token issuer discovery")."""
    return {
        "issuer": issuer,
        "jwks_uri": jwks_uri,
        "response_types_supported": ["id_token"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": sorted({key.algorithm for key in keys}),
    }


def _public(key: ec.EllipticCurvePublicKey | rsa.RSAPublicKey) -> PublicKey:
    encoded = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    identifier = _base64(hashlib.sha256(encoded).digest())
    if isinstance(key, rsa.RSAPublicKey):
        return PublicKey(key, identifier, "RS256")
    if key.curve.name not in _CURVES:
        raise ValueError(f"has a curve that tokens do not know: {key.curve.name}")
    return PublicKey(key, identifier, _CURVES[key.curve.name][0])


def _integer(value: int, size: int = 0) -> str:
    return _base64(value.to_bytes(size or (value.bit_length() + 7) // 8, "big"))


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
