"""Failures as CNI words them (CNI spec 1.1.0, section "Error")."""

from typing import Any

INCOMPATIBLE_VERSION = 1
UNSUPPORTED_FIELD = 2
UNKNOWN_CONTAINER = 3
INVALID_ENVIRONMENT = 4
IO_FAILURE = 5
DECODING_FAILURE = 6
INVALID_CONFIG = 7
TRY_AGAIN_LATER = 11
NOT_AVAILABLE = 50
LIMITED_CONNECTIVITY = 51
KERNEL_REFUSED = 100
"""Weft's own (100 and up are the plugins'): the kernel did not make a link, an address or a route."""
NO_ADDRESS = 101
"""Weft's own: the node's range is used up."""
NOT_AS_MADE = 102
"""Weft's own: CHECK found something missing or different."""
INTERNAL = 999


class CniError(Exception):
    def __init__(self, code: int, message: str, details: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.details = details

    def document(self, version: str) -> dict[str, Any]:
        found: dict[str, Any] = {"cniVersion": version, "code": self.code, "msg": self.message}
        if self.details:
            found["details"] = self.details
        return found
