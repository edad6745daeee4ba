"""A mode that cannot be here says so in one line."""

import argparse
from pathlib import Path

import pytest

from weft.kernel.iptables import IptablesError
from weft.kernel.ipvs import IpvsError
from weft.kernel.real.ipvs import RealIpvs
from weft.proxy import modes
from weft.proxy.config import Config, add_arguments, from_arguments
from weft.proxy.iptables.mode import IptablesMode


def arguments(*flags: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return parser.parse_args([*flags, "--hostname-override", "node1"])


@pytest.mark.parametrize("mode", ["iptables", "userspace", "ipvs"])
def test_flags_and_files_name_modes(mode: str) -> None:
    assert from_arguments(arguments("--proxy-mode", mode)).mode == mode


def test_a_kernel_without_ipvs_says_so_in_one_line() -> None:
    try:
        RealIpvs().close()
    except IpvsError:
        with pytest.raises(IpvsError, match="this kernel has no IPVS: load module ip_vs, or use --proxy-mode nftables"):
            modes.open_mode(Config("", "node1", mode="ipvs"))
    else:
        with pytest.raises(IpvsError, match="not there yet"):
            modes.open_mode(Config("", "node1", mode="ipvs"))


async def test_cleanup_goes_on_past_modes_that_cannot_be_here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    cleaned: list[str] = []

    def missing(_config: Config) -> None:
        raise IptablesError("iptables is missing")

    class Left:
        async def cleanup(self) -> None:
            cleaned.append("one")

        def close(self) -> None:
            cleaned.append("closed")

    monkeypatch.setattr(modes, "_OPENERS", {"iptables": missing, "ipvs": modes._ipvs, "other": lambda _config: Left()})
    await modes.cleanup(Config("", "node1", bpf_directory=tmp_path))
    assert cleaned == ["one", "closed"]


def test_a_dry_run_shows_what_iptables_restore_would_read() -> None:
    text = modes.shown(Config("", "node1", mode="iptables"), {})
    assert text.startswith("# iptables-restore --noflush\n*filter\n:WEFT-REFUSE - [0:0]\n")
    assert IptablesMode.render([], {}) == ""
    assert modes.shown(Config("", "node1", mode="userspace"), {}) == ""
