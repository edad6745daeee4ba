"""ListOptions, as the query string of list, watch and deletecollection gives them. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

from weft.apiserver.registry import failures
from weft.apiserver.registry.kind import FieldError, Kind
from weft.apiserver.selectors import parse_fields, parse_labels
from weft.apiserver.selectors.fields import FieldRequirement, FieldSelector
from weft.apiserver.storage.filter import Filter
from weft.cluster.objects.resource import Resource

_LIST_OPTIONS = Resource("meta.k8s.io", "v1", "listoptions", "ListOptions", namespaced=False)
_TRUE = ("true", "1", "t", "T", "TRUE", "True")
_MATCHES = ("Exact", "NotOlderThan")


@dataclass(frozen=True, slots=True)
class ListOptions:
    filter: Filter
    resource_version: int | None = None
    """None: not given, the newest."""
    match: str = ""
    limit: int = 0
    continue_token: str = ""
    timeout: int = 0
    """Seconds that a watch lasts; 0: as the server likes."""
    bookmarks: bool = False
    initial_events: bool | None = None


def flag(query: Mapping[str, str], name: str) -> bool:
    return query.get(name) in _TRUE


def parse(query: Mapping[str, str], kind: Kind, namespace: str, name: str, *, watch: bool) -> ListOptions:
    """`name`: of a single object that is watched by its path. Raises ApiError 400 or 422."""
    initial = flag(query, "sendInitialEvents") if "sendInitialEvents" in query else None
    options = ListOptions(
        filter=_filter(query, kind, namespace, name),
        resource_version=_list_version(query.get("resourceVersion", "")),
        match=query.get("resourceVersionMatch", ""),
        limit=_integer(query, "limit"),
        continue_token=query.get("continue", ""),
        timeout=_integer(query, "timeoutSeconds"),
        bookmarks=flag(query, "allowWatchBookmarks"),
        initial_events=initial,
    )
    if errors := _errors(options, watch):
        raise failures.invalid(_LIST_OPTIONS, "", errors)
    return options


def _errors(options: ListOptions, watch: bool) -> list[FieldError]:
    """As apimachinery's `ValidateListOptions`."""

    def forbid(field: str, detail: str) -> FieldError:
        return FieldError("FieldValueForbidden", field, detail)

    errors: list[FieldError] = []
    match, version = options.match, options.resource_version
    if options.initial_events is not None:
        if not watch:
            return [forbid("sendInitialEvents", "sendInitialEvents is forbidden for list")]
        if match != "NotOlderThan":
            why = "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"
            errors.append(forbid("resourceVersionMatch", why))
        return errors
    if not match:
        return errors
    if watch:
        why = "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided"
        errors.append(forbid("resourceVersionMatch", why))
        if match != "NotOlderThan":
            detail = 'supported values: "NotOlderThan"'
            errors.append(FieldError("FieldValueNotSupported", "resourceVersionMatch", detail, match))
        return errors
    if version is None:
        why = "resourceVersionMatch is forbidden unless resourceVersion is provided"
        errors.append(forbid("resourceVersionMatch", why))
    if options.continue_token:
        errors.append(forbid("resourceVersionMatch", "resourceVersionMatch is forbidden when continue is provided"))
    if match not in _MATCHES:
        detail = 'supported values: "Exact", "NotOlderThan", ""'
        errors.append(FieldError("FieldValueNotSupported", "resourceVersionMatch", detail, match))
    if match == "Exact" and version == 0:
        why = 'resourceVersionMatch "exact" is forbidden for resourceVersion "0"'
        errors.append(forbid("resourceVersionMatch", why))
    return errors


def resource_version(text: str) -> int | None:
    """Raises ValueError with the server's message."""
    if not text:
        return None
    if not text.isascii() or not text.isdigit():
        why = f'strconv.ParseUint: parsing "{text}": invalid syntax'
        raise ValueError(f'resourceVersion: Invalid value: "{text}": {why}')
    return int(text)


def _list_version(text: str) -> int | None:
    try:
        return resource_version(text)
    except ValueError as error:
        raise failures.bad_request(f"invalid resource version: {error}") from None


def _integer(query: Mapping[str, str], name: str) -> int:
    text = query.get(name, "")
    if not text:
        return 0
    try:
        return max(int(text), 0)
    except ValueError:
        raise failures.bad_request(f'strconv.ParseInt: parsing "{text}": invalid syntax') from None


def _filter(query: Mapping[str, str], kind: Kind, namespace: str, name: str) -> Filter:
    try:
        labels = parse_labels(query.get("labelSelector", ""))
        fields = parse_fields(query.get("fieldSelector", ""))
    except ValueError as error:
        raise failures.bad_request(str(error)) from None
    for field in fields.fields:
        if field not in kind.selectable and field not in ("metadata.name", "metadata.namespace"):
            raise failures.bad_request(_unknown_field(kind, field))
    if name and fields.requirements and fields.exact("metadata.name") != name:
        raise failures.bad_request("fieldSelector metadata.name doesn't match requested name")
    if name and not fields.requirements:
        fields = FieldSelector((FieldRequirement("metadata.name", name),))
    return Filter(namespace, labels, fields)


def _unknown_field(kind: Kind, field: str) -> str:
    """Upstream has one wording per kind's conversion function, and one for kinds without."""
    if kind.selectable:
        return f"field label not supported: {field}"
    return f'"{field}" is not a known field selector: only "metadata.name", "metadata.namespace"'
