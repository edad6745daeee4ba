"""Why the kernel refused a change."""

import errno
import os

from weft.kernel.state.change import Change


class KernelError(OSError):
    """`cannot add route 10.244.2.0/24 via 172.30.0.12: Network is unreachable (Nexthop has invalid gateway)`."""

    def __init__(self, code: int, what: Change | str, detail: str = "") -> None:
        super().__init__(code, os.strerror(code))
        self.what = what
        self.detail = detail

    def __str__(self) -> str:
        detail = f" ({self.detail.strip().rstrip('.')})" if self.detail else ""
        return f"cannot {self.what}: {self.strerror}{detail}{_REMEDY.get(self.errno or 0, '')}"


_REMEDY = {
    errno.EPERM: "; CAP_NET_ADMIN is needed: run as root",
    errno.EOPNOTSUPP: "; this kernel lacks the feature",
}
