"""What names may be: labels, subdomains, keys, ports, paths (apimachinery `util/validation`). All return messages."""

import re

from weft.apiserver.selectors.names import label_key_errors, subdomain_errors

LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_LABEL = re.compile(LABEL)
_WILDCARD = r"\*\.[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*"
_CONFIG_KEY = re.compile(r"[-._a-zA-Z0-9]+")
_HEADER = re.compile(r"[-A-Za-z0-9]+")
_LABEL_TEXT = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with "
    f"an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '{LABEL}')"
)
_WILDCARD_TEXT = (
    "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must consist of "
    "lower case alphanumeric characters, '-' or '.' and end with an alphanumeric character (e.g. '*.example.com', "
    f"regex used for validation is '{_WILDCARD}')"
)
_UNDERSCORED = r"_?[a-z0-9]([-_a-z0-9]*[a-z0-9])?(\._?[a-z0-9]([-_a-z0-9]*[a-z0-9])?)*"
_UNDERSCORED_TEXT = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '_', '-' or '.', and must "
    f"start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '{_UNDERSCORED}')"
)
_CONFIG_KEY_TEXT = (
    "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  "
    "or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')"
)
_HEADER_TEXT = (
    "a valid HTTP header must consist of alphanumeric characters or '-' (e.g. 'X-Header-Name', regex used for "
    "validation is '[-A-Za-z0-9]+')"
)

subdomain = subdomain_errors
qualified_name = label_key_errors


def label(value: str) -> list[str]:
    errors = ["must be no more than 63 characters"] if len(value) > 63 else []
    if not _LABEL.fullmatch(value):
        errors.append("must not contain dots" if subdomain(value) == [] else _LABEL_TEXT)
    return errors


def wildcard_subdomain(value: str) -> list[str]:
    errors = ["must be no more than 253 characters"] if len(value) > 253 else []
    return errors if re.fullmatch(_WILDCARD, value) else [*errors, _WILDCARD_TEXT]


def subdomain_with_underscores(value: str) -> list[str]:
    """Search paths of DNS may have what names of hosts may not."""
    errors = ["must be no more than 253 characters"] if len(value) > 253 else []
    return errors if re.fullmatch(_UNDERSCORED, value) else [*errors, _UNDERSCORED_TEXT]


def path_segment(value: str) -> list[str]:
    """Names of objects that are no DNS names (roles, bindings)."""
    if value in (".", ".."):
        return [f"may not be '{value}'"]
    return [f"may not contain '{sign}'" for sign in "/%" if sign in value]


def config_key(value: str) -> list[str]:
    """A key of a ConfigMap or Secret."""
    errors = ["must be no more than 253 characters"] if len(value) > 253 else []
    if not _CONFIG_KEY.fullmatch(value):
        errors.append(_CONFIG_KEY_TEXT)
    return errors + _no_way_up(value)


def environment(value: str) -> list[str]:
    if not value:
        return ["environment variable name must be non-empty"]
    if not all(" " <= letter <= "~" and letter != "=" for letter in value):
        return ["a valid environment variable name must consist only of printable ASCII characters other than '='"]
    return []


def header(value: str) -> list[str]:
    return [] if _HEADER.fullmatch(value) else [_HEADER_TEXT]


def port_name(value: str) -> list[str]:
    """An IANA service name (RFC 6335 section 5.1)."""
    errors = ["must be no more than 15 characters"] if len(value) > 15 else []
    if not re.fullmatch("[-a-z0-9]+", value):
        errors.append("must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)")
    if not re.search("[a-z]", value):
        errors.append("must contain at least one letter (a-z)")
    if "--" in value:
        errors.append("must not contain consecutive hyphens")
    if value and (value[0] == "-" or value[-1] == "-"):
        errors.append("must not begin or end with a hyphen")
    return errors


def port_number(value: int) -> list[str]:
    return between(value, 1, 65535)


def port_number_or_name(value: int | str) -> list[str]:
    return port_name(value) if isinstance(value, str) else port_number(value)


def between(value: int, low: int, high: int) -> list[str]:
    return [] if low <= value <= high else [f"must be between {low} and {high}, inclusive"]


def _no_way_up(value: str) -> list[str]:
    if value in (".", ".."):
        return [f"must not be '{value}'"]
    return ["must not start with '..'"] if value.startswith("..") else []
