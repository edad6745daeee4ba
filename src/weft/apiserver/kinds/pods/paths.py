"""Paths inside volumes: they go down, never up."""

from weft.apiserver.kinds.rules.errors import Errors, invalid


def no_backsteps(field: str, path: str) -> Errors:
    return [invalid(field, path, "must not contain '..'")] if ".." in path.split("/") else []


def descending_path(field: str, path: str) -> Errors:
    errors = [invalid(field, path, "must be a relative path")] if path.startswith("/") else []
    return errors + no_backsteps(field, path)


def unreserved_path(field: str, path: str) -> Errors:
    """Nor may it begin with "..": atomic writers keep such names for themselves."""
    errors = descending_path(field, path)
    if path.startswith("..") and not path.startswith("../") and path != "..":
        errors.append(invalid(field, path, "must not start with '..'"))
    return errors
