"""Connection tracking in memory: remembers what it was asked to forget."""

from collections.abc import Collection

from weft.kernel.conntrack import Translation


class FakeConntrack:
    def __init__(self) -> None:
        self.forgotten: list[Translation] = []

    def forget(self, translations: Collection[Translation]) -> None:
        self.forgotten += translations

    def close(self) -> None:
        pass
