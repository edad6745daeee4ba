"""Keys and X.509 certificates as PEM bytes ("PKI certificates and requirements", RFC 5280). No files, no clock."""

import datetime
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

AUTHORITY_LIFETIME = datetime.timedelta(days=3650)
LEAF_LIFETIME = datetime.timedelta(days=365)
RENEW_BEFORE = datetime.timedelta(days=60)
"""A certificate with less time left is issued anew: a lab that is started now and then never serves an expired one."""
_SKEW = datetime.timedelta(hours=1)

Usage = Literal["server", "client"]
_USAGES = {"server": ExtendedKeyUsageOID.SERVER_AUTH, "client": ExtendedKeyUsageOID.CLIENT_AUTH}


@dataclass(frozen=True)
class Leaf:
    """What a certificate is to say. `names` are DNS names and IP addresses (subjectAltName)."""

    common_name: str
    organizations: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    usage: Usage = "client"


@dataclass(frozen=True)
class Pair:
    """A certificate and its private key, PEM."""

    certificate: bytes
    key: bytes = field(repr=False)


@dataclass(frozen=True)
class Authority:
    """A certificate authority, loaded and ready to sign."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey = field(repr=False)

    def pair(self) -> Pair:
        return Pair(certificate_pem(self.certificate), private_pem(self.key))


def new_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def private_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    """SEC 1 ("EC PRIVATE KEY"), which every TLS library and Go's service account loader read."""
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )


def public_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def certificate_pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def load_key(pem: bytes) -> ec.EllipticCurvePrivateKey:
    """Raises ValueError unless `pem` is an unencrypted EC private key."""
    try:
        key = serialization.load_pem_private_key(pem, password=None)
    except (TypeError, UnsupportedAlgorithm) as error:
        raise ValueError(str(error)) from None
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise ValueError("is not an elliptic curve key")
    return key


def new_authority(name: str, now: datetime.datetime, key: ec.EllipticCurvePrivateKey | None = None) -> Authority:
    """A self-signed authority; with `key`, the one whose certificate was lost before it was written."""
    key = key or new_key()
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _SKEW)
        .not_valid_after(now + AUTHORITY_LIFETIME)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(authority=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    return Authority(builder.sign(key, hashes.SHA256()), key)


def load_authority(pair: Pair) -> Authority:
    """Raises ValueError where certificate and key cannot be read or do not belong together."""
    authority = Authority(x509.load_pem_x509_certificate(pair.certificate), load_key(pair.key))
    if authority.certificate.public_key() != authority.key.public_key():
        raise ValueError("certificate and key do not belong together")
    return authority


def issue(authority: Authority, leaf: Leaf, now: datetime.datetime) -> Pair:
    """A fresh key and its certificate, valid from an hour before `now` (UTC) for a year."""
    key = new_key()
    end = min(now + LEAF_LIFETIME, authority.certificate.not_valid_after_utc)
    builder = (
        x509.CertificateBuilder()
        .subject_name(_subject(leaf))
        .issuer_name(authority.certificate.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _SKEW)
        .not_valid_after(end)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(authority=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([_USAGES[leaf.usage]]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.key.public_key()), critical=False)
    )
    if leaf.names:
        builder = builder.add_extension(x509.SubjectAlternativeName(_alternatives(leaf.names)), critical=False)
    return Pair(certificate_pem(builder.sign(authority.key, hashes.SHA256())), private_pem(key))


def why_reissue(authority: Authority, leaf: Leaf, pair: Pair, now: datetime.datetime) -> str:
    """The reason why `pair` cannot serve as `leaf` from `now` on; "" while it can."""
    try:
        certificate, key = x509.load_pem_x509_certificate(pair.certificate), load_key(pair.key)
    except ValueError:
        return "cannot be read"
    if certificate.public_key() != key.public_key():
        return "certificate and key do not belong together"
    try:
        certificate.verify_directly_issued_by(authority.certificate)
    except (ValueError, TypeError, InvalidSignature):
        return "signed by another authority"
    left = certificate.not_valid_after_utc - now
    if left < RENEW_BEFORE and certificate.not_valid_after_utc < authority.certificate.not_valid_after_utc:
        return "expires soon" if left.total_seconds() > 0 else "expired"
    if certificate.subject != _subject(leaf):
        return "another subject"
    if _names(certificate) != set(_alternatives(leaf.names)):
        return "other addresses or names"
    usages = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    return "" if _USAGES[leaf.usage] in usages else "another usage"


def _subject(leaf: Leaf) -> x509.Name:
    organizations = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, each) for each in leaf.organizations]
    return x509.Name([*organizations, x509.NameAttribute(NameOID.COMMON_NAME, leaf.common_name)])


def _alternatives(names: Sequence[str]) -> list[x509.GeneralName]:
    found: list[x509.GeneralName] = []
    for name in dict.fromkeys(names):
        try:
            found.append(x509.IPAddress(ipaddress.ip_address(name)))
        except ValueError:
            found.append(x509.DNSName(name))
    return found


def _names(certificate: x509.Certificate) -> set[x509.GeneralName]:
    try:
        return set(certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value)
    except x509.ExtensionNotFound:
        return set()


def _key_usage(*, authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=authority,
        crl_sign=authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
