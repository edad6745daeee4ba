"""Reads and writes system controls of the calling thread's network namespace."""

import errno

from weft.kernel.errors import KernelError
from weft.kernel.state.change import Replace
from weft.kernel.state.sysctl import Sysctl


def read(name: str) -> Sysctl | None:
    """None where this kernel has no such control. `name` as in `Sysctl.name`."""
    try:
        with open(f"/proc/sys/{name}") as file:
            return Sysctl(name, file.read().strip())
    except FileNotFoundError:
        return None
    except OSError as error:
        raise KernelError(error.errno or 0, f"read sysctl {name}") from None


def write(sysctl: Sysctl) -> KernelError | None:
    try:
        with open(f"/proc/sys/{sysctl.name}", "w") as file:
            file.write(sysctl.value)
    except OSError as error:
        detail = "this kernel has no such control" if error.errno == errno.ENOENT else f"value {sysctl.value!r}"
        return KernelError(error.errno or 0, Replace(sysctl), detail)
    return None
