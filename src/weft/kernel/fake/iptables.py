"""iptables in memory: reads what `iptables-restore --noflush` would, as far as Weft writes it."""

from weft.kernel.iptables import IptablesError, IpVersion

Table = dict[str, list[str]]
_BUILT_IN = {
    "nat": ("PREROUTING", "INPUT", "OUTPUT", "POSTROUTING"),
    "filter": ("INPUT", "FORWARD", "OUTPUT"),
}


class FakeIptables:
    """Refuses what the programs refuse: jumps to chains that are not there, removal of chains still in use."""

    def __init__(self) -> None:
        self.tables: dict[tuple[IpVersion, str], Table] = {}
        self.writes: list[str] = []
        self.fail: IptablesError | None = None

    def table(self, version: IpVersion, name: str) -> Table:
        return self.tables.setdefault((version, name), {chain: [] for chain in _BUILT_IN[name]})

    def restore(self, version: IpVersion, text: str) -> None:
        if self.fail is not None:
            failure, self.fail = self.fail, None
            raise failure
        self.writes.append(text)
        name, held = "", Table()
        for line in text.splitlines():
            if line.startswith("*"):
                name = line[1:]
                held = {chain: list(rules) for chain, rules in self.table(version, name).items()}
            elif line == "COMMIT":
                _check(held)
                self.tables[version, name] = held
            else:
                _interpret(held, line, name)

    def save(self, version: IpVersion, table: str) -> str:
        held = self.table(version, table)
        names = [f":{chain} {'ACCEPT' if chain in _BUILT_IN[table] else '-'} [0:0]" for chain in held]
        rules = [f"-A {chain} {one}" for chain, found in held.items() for one in found]
        return "\n".join([f"*{table}", *names, *rules, "COMMIT", ""])

    def list(self, version: IpVersion, table: str, chain: str) -> str:
        return "".join(f"-A {chain} {one}\n" for one in self.table(version, table).get(chain, []))


def _interpret(held: Table, line: str, table: str) -> None:
    if line.startswith(":"):
        chain = line[1:].split()[0]
        held[chain] = held[chain] if chain in _BUILT_IN[table] else []
        return
    action, chain, rule = (*line.split(" ", 2), "")[:3]
    if chain not in held:
        raise IptablesError(f"no chain {chain}")
    match action:
        case "-A":
            held[chain].append(rule)
        case "-I":
            held[chain].insert(0, rule)
        case "-D":
            if rule not in held[chain]:
                raise IptablesError(f"no such rule in {chain}: {rule}")
            held[chain].remove(rule)
        case "-X":
            if held[chain]:
                raise IptablesError(f"chain {chain} is not empty")
            del held[chain]
        case _:
            raise IptablesError(f"cannot read {line!r}")


def _check(held: Table) -> None:
    for chain, rules in held.items():
        for one in rules:
            target = one.split(" -j ")[-1].split()[0] if " -j " in one else one.removeprefix("-j ").split()[0]
            if target.startswith("WEFT-") and target not in held:
                raise IptablesError(f"{chain} goes to {target}, which is not there")
