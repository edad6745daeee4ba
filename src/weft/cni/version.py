"""Versions of the CNI specification that Weft speaks, and what each of them can do."""

from weft.cni.errors import INCOMPATIBLE_VERSION, CniError

SUPPORTED = ("0.3.1", "0.4.0", "1.0.0", "1.1.0")
CURRENT = SUPPORTED[-1]
_SINCE = {"ADD": "0.3.1", "DEL": "0.3.1", "VERSION": "0.3.1", "CHECK": "0.4.0", "STATUS": "1.1.0", "GC": "1.1.0"}
VERBS = tuple(_SINCE)


def require(version: str, verb: str) -> None:
    """Raises CniError 1 where the configuration's version is not one of ours or does not know the verb."""
    if version not in SUPPORTED:
        raise CniError(
            INCOMPATIBLE_VERSION,
            f"incompatible CNI versions: cniVersion is {version!r}",
            f"supported: {', '.join(SUPPORTED)}",
        )
    # The four are in order as text too.
    if version < _SINCE[verb]:
        raise CniError(INCOMPATIBLE_VERSION, f"config version {version} does not allow {verb}, {_SINCE[verb]} does")
