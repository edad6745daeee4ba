"""The errors of the API, worded as apimachinery's `api/errors` words them. All make a `cluster.errors.ApiError`."""

from collections.abc import Sequence
from typing import Any

from weft.apiserver.registry.kind import FieldError
from weft.cluster.errors import ApiError, NotFound, from_status
from weft.cluster.objects.resource import Resource


def group_resource(resource: Resource) -> str:
    """`deployments.apps`, `pods`"""
    return f"{resource.plural}.{resource.group}" if resource.group else resource.plural


def _details(name: str, group: str, kind: str, **more: Any) -> dict[str, Any]:
    """StatusDetails without empty fields; `kind` is the resource's plural everywhere but in Invalid."""
    return {key: value for key, value in {"name": name, "group": group, "kind": kind, **more}.items() if value}


def not_found(resource: Resource, name: str) -> ApiError:
    message = f'{group_resource(resource)} "{name}" not found'
    return from_status(404, "NotFound", message, _details(name, resource.group, resource.plural))


def no_such_path() -> ApiError:
    return from_status(404, "NotFound", "the server could not find the requested resource", {})


def already_exists(resource: Resource, name: str) -> ApiError:
    message = f'{group_resource(resource)} "{name}" already exists'
    return from_status(409, "AlreadyExists", message, _details(name, resource.group, resource.plural))


def generate_name_conflict(resource: Resource, name: str) -> ApiError:
    message = (
        f'{group_resource(resource)} "{name}" already exists, the server was not able to generate a unique name '
        "for the object"
    )
    details = _details(name, resource.group, resource.plural, retryAfterSeconds=1)
    return from_status(409, "AlreadyExists", message, details)


def conflict(resource: Resource, name: str, why: str) -> ApiError:
    message = f'Operation cannot be fulfilled on {group_resource(resource)} "{name}": {why}'
    return from_status(409, "Conflict", message, _details(name, resource.group, resource.plural))


def modified(resource: Resource, name: str) -> ApiError:
    return conflict(
        resource,
        name,
        "the object has been modified; please apply your changes to the latest version and try again",
    )


def other_uid(resource: Resource, meta: dict[str, Any], asked: str) -> ApiError:
    """An update that means another object of the same name; worded by upstream's storage, key included."""
    place = [resource.plural, meta.get("namespace", ""), meta["name"]]
    key = "/registry/" + "/".join(part for part in place if part)
    why = (
        f"StorageError: invalid object, Code: 4, Key: {key}, ResourceVersion: 0, AdditionalErrorMsg: "
        f"Precondition failed: UID in precondition: {asked}, UID in object meta: {meta['uid']}"
    )
    return conflict(resource, meta["name"], why)


def invalid(resource: Resource, name: str, errors: Sequence[FieldError]) -> ApiError:
    """422 with one cause per field error."""
    kind = f"{resource.kind}.{resource.group}" if resource.group else resource.kind
    texts = list(dict.fromkeys(f"{error.field}: {error.text()}" for error in errors))
    joined = texts[0] if len(texts) == 1 else "[" + ", ".join(texts) + "]"
    causes = [{"reason": error.type, "message": error.text(), "field": error.field} for error in errors]
    details = _details(name, resource.group, resource.kind, causes=causes)
    return from_status(422, "Invalid", f'{kind} "{name}" is invalid: {joined}', details)


def forbidden(resource: Resource, name: str, why: str, causes: Sequence[dict[str, str]] = ()) -> ApiError:
    subject = group_resource(resource) + (f' "{name}"' if name else "")
    details = _details(name, resource.group, resource.plural, causes=list(causes))
    return from_status(403, "Forbidden", f"{subject} is forbidden: {why}", details)


def bad_request(message: str) -> ApiError:
    return from_status(400, "BadRequest", message)


class PageNotFound(NotFound):
    """404 in plain text, for paths of which the server knows nothing at all."""

    def __init__(self) -> None:
        super().__init__(404, "NotFound", "404 page not found")


def method_not_allowed() -> ApiError:
    message = "the server does not allow this method on the requested resource"
    return from_status(405, "MethodNotAllowed", message)


def without_reason(message: str) -> ApiError:
    """500 as kube-apiserver gives it for errors that it does not classify."""
    return from_status(500, "", message)


def timeout(message: str, retry_after: int) -> ApiError:
    return from_status(504, "Timeout", message, {"retryAfterSeconds": retry_after})


def too_large_resource_version(asked: int, current: int) -> ApiError:
    details: dict[str, object] = {
        "causes": [{"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}],
        "retryAfterSeconds": 1,
    }
    return from_status(504, "Timeout", f"Too large resource version: {asked}, current: {current}", details)


def too_old_resource_version(asked: int, oldest: int) -> ApiError:
    return from_status(410, "Expired", f"too old resource version: {asked} ({oldest})")


def unsupported_media_type(accepted: Sequence[str]) -> ApiError:
    message = "the body of the request was in an unknown format - accepted media types include: " + ", ".join(accepted)
    return from_status(415, "UnsupportedMediaType", message)


def not_acceptable(accepted: Sequence[str]) -> ApiError:
    return from_status(406, "NotAcceptable", "only the following media types are accepted: " + ", ".join(accepted))


def too_large(limit: int) -> ApiError:
    return from_status(413, "RequestEntityTooLarge", f"Request entity too large: limit is {limit}")


def unauthorized() -> ApiError:
    return from_status(401, "Unauthorized", "Unauthorized")


def internal(message: str) -> ApiError:
    details: dict[str, object] = {"causes": [{"message": message}]}
    return from_status(500, "InternalError", f"Internal error occurred: {message}", details)


def unavailable(message: str) -> ApiError:
    return from_status(503, "ServiceUnavailable", message)


def status_object(error: ApiError) -> dict[str, Any]:
    """The metav1.Status that tells the error."""
    status: dict[str, Any] = {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": error.message,
    }
    if error.reason:
        status["reason"] = error.reason
    if error.details or error.code in (403, 404):
        status["details"] = error.details
    status["code"] = error.code
    return status
