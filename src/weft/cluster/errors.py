"""What the API server answers when it does not do as asked (metav1.Status)."""


class ApiError(Exception):
    """A failed call: HTTP `code`, machine-readable `reason`, `message` for people, and the Status' `details`."""

    def __init__(self, code: int, reason: str, message: str, details: dict[str, object] | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.message = message
        self.details = details or {}


class NotFound(ApiError): ...


class AlreadyExists(ApiError): ...


class Conflict(ApiError): ...


class Expired(ApiError):
    """410: the resourceVersion or continue token is older than what the server remembers. List again."""


class Invalid(ApiError): ...


class Forbidden(ApiError): ...


class Unavailable(ApiError):
    """The server cannot be reached, broke off, or asks to come back later (429, 5xx): try again."""


_BY_REASON: dict[str, type[ApiError]] = {
    "NotFound": NotFound,
    "AlreadyExists": AlreadyExists,
    "Conflict": Conflict,
    "Expired": Expired,
    "Gone": Expired,
    "Invalid": Invalid,
    "Forbidden": Forbidden,
}


def from_status(code: int, reason: str, message: str, details: dict[str, object] | None = None) -> ApiError:
    """The error for a Status, by its reason first and by its HTTP code where the reason says nothing."""
    kind = _BY_REASON.get(reason)
    if kind is None:
        kind = Unavailable if code == 429 or code >= 500 else {404: NotFound, 410: Expired}.get(code, ApiError)
    return kind(code, reason, message, details)
