#!/usr/bin/env python3
"""Runs a command in a virtual machine: Debian's kernel with its modules, cgroup version 2, and this machine's files.

    tools/vm.py prepare                 fetches what is needed into the directory WEFT_VM (default ~/.cache/weft-vm)
    tools/vm.py run -- uname -a         boots, runs the command, ends with its status
    tools/vm.py run --share DIR -- CMD  DIR is /run/share in the machine: the only files that outlive it

The machine sees all files of this one and may change them: the changes are kept in its memory and go with it. It has no
network but its own loopback. It is emulated, 10 to 40 times slower than this machine, unless --kvm is given.
"""

import argparse
import contextlib
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

INSIDE = Path(__file__).with_name("vm_inside.sh")
KERNEL_PACKAGE = "linux-image-amd64"  # the cloud kernel lacks 9p
VIRTME = "virtme-ng==1.42"
PROGRAMS = {"qemu-system-x86_64": "qemu-system-x86", "modprobe": "kmod", "busybox": "busybox-static"}
KERNEL_OPTIONS = (
    # Emulation pays for each switch of page tables and each look at a clock that is a device.
    "mitigations=off", "no5lvl", "nokaslr", "audit=0", "apparmor=0", "clocksource=tsc", "tsc=reliable",
)  # fmt: skip


class Refused(Exception):
    """One line: what is missing, and the remedy."""


@dataclass(frozen=True)
class Cache:
    directory: Path

    @property
    def virtme(self) -> Path:
        return self.directory / "virtme-ng" / "bin" / "virtme-run"

    @property
    def kernel(self) -> Path:
        """Where Debian's package is unpacked: holds boot/ and lib/modules/."""
        return self.directory / "kernel"

    def image(self) -> Path | None:
        return next(iter(sorted(self.kernel.glob("boot/vmlinuz-*"), reverse=True)), None)

    def problems(self) -> Iterator[str]:
        for program, package in PROGRAMS.items():
            if not find(program):
                yield f"{program} is not on this machine (apt-get install --no-install-recommends {package})"
        if self.image() is None:
            yield f"there is no kernel in {self.kernel} (tools/vm.py prepare)"
        if not self.virtme.exists():
            yield f"there is no virtme-ng in {self.virtme.parents[1]} (tools/vm.py prepare)"


def default_cache() -> Cache:
    return Cache(Path(os.environ.get("WEFT_VM") or Path.home() / ".cache" / "weft-vm"))


def find(program: str) -> str | None:
    return shutil.which(program, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")


def prepare(cache: Cache) -> None:
    """Fetches what is not there yet; nothing is installed on this machine."""
    cache.directory.mkdir(parents=True, exist_ok=True)
    if cache.image() is None:
        with tempfile.TemporaryDirectory(dir=cache.directory) as scratch:
            _fetch_kernel(Path(scratch)).rename(cache.kernel)
    if not cache.virtme.exists():
        home = cache.virtme.parents[1]
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(home)], check=True)
        subprocess.run([str(home / "bin" / "pip"), "install", "-q", VIRTME], check=True)


def _fetch_kernel(scratch: Path) -> Path:
    depends = subprocess.run(["apt-cache", "depends", KERNEL_PACKAGE], capture_output=True, text=True, check=True)
    package = next((line.split()[-1] for line in depends.stdout.splitlines() if "Depends: linux-image-" in line), None)
    if package is None:
        raise Refused(f"apt knows no package {KERNEL_PACKAGE} (apt-get update)")
    subprocess.run(["apt-get", "download", "-q", package], cwd=scratch, check=True)
    unpacked = scratch / "kernel"
    subprocess.run(["dpkg", "-x", str(next(scratch.glob("*.deb"))), str(unpacked)], check=True)
    release = package.removeprefix("linux-image-")
    subprocess.run([find("depmod") or "depmod", "-b", str(unpacked), release], check=True)
    return unpacked


@dataclass(frozen=True)
class Machine:
    cache: Cache
    memory: str = "4G"
    cpus: int = 2
    kvm: bool = False

    def command(self, share: Path) -> list[str]:
        image = self.cache.image()
        return [
            "nice", "-n", "10", str(self.cache.virtme), "--kimg", str(image), "--mods", "auto", "--force-9p",
            "--disable-microvm", *([] if self.kvm else ["--disable-kvm"]),
            "--memory", self.memory, "--cpus", str(self.cpus), "--show-boot-console", "--verbose",
            *(part for option in KERNEL_OPTIONS for part in ("-a", option)),
            "--script-sh", shlex.join(["sh", str(INSIDE), str(self.cache.kernel)]),
            "--qemu-opts",
            "-fsdev", "local,id=weftroot,path=/,security_model=none,readonly=on,multidevs=remap",
            "-device", "virtio-9p-pci,fsdev=weftroot,mount_tag=weft.root",
            "-fsdev", f"local,id=weftshare,path={share},security_model=none",
            "-device", "virtio-9p-pci,fsdev=weftshare,mount_tag=weft.share",
        ]  # fmt: skip

    def run(self, command: list[str], share: Path, timeout: float) -> int:
        """Boots, runs `command` where we are now, and shows what it says; returns its status."""
        if problem := next(self.cache.problems(), None):
            raise Refused(problem)
        environment = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "PYTHONPATH") if name in os.environ}
        lines = [f"export {name}={shlex.quote(value)}" for name, value in environment.items()]
        lines += [f"cd {shlex.quote(os.getcwd())}", f"exec {shlex.join(command)}"]
        (share / "command").write_text("\n".join(lines) + "\n")
        for name in ("output", "status"):
            (share / name).write_text("")
        with (share / "console").open("wb") as console, (share / "output").open("rb") as output:
            booted = subprocess.Popen(
                ["timeout", "-s", "KILL", str(timeout + 30), *self.command(share)],  # should we be killed ourselves
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                env={**os.environ, "TMPDIR": str(share)},  # whatever is left there when it is killed
            )
            # Through a pipe: qemu opens its descriptors anew, and would write over a file from its beginning.
            copier = subprocess.Popen(["cat"], stdin=booted.stdout, stdout=console)
            try:
                _follow(booted, output, time.monotonic() + timeout)
            finally:
                _end(booted)
                copier.wait()
        return _status(share, timeout)


def _follow(booted: "subprocess.Popen[bytes]", output: IO[bytes], deadline: float) -> None:
    """Shows what the command writes, as it comes, until the machine is off or the time is over."""
    running = True
    while running and time.monotonic() < deadline:
        running = booted.poll() is None
        shutil.copyfileobj(output, sys.stdout.buffer)
        sys.stdout.buffer.flush()
        time.sleep(0.2 if running else 0)


def _end(booted: "subprocess.Popen[bytes]") -> None:
    if booted.stdout:
        booted.stdout.close()
    try:
        os.killpg(booted.pid, signal.SIGKILL)  # the leader of a session of its own: qemu is in it
    except ProcessLookupError:
        pass
    booted.wait()


def _status(share: Path, timeout: float) -> int:
    status = (share / "status").read_text().strip()
    if status:
        return int(status)
    tail = (share / "console").read_text(errors="replace")[-2000:]
    raise Refused(f"the machine ended without a word, or not within {timeout:.0f} s; the end of its console:\n{tail}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="verb", required=True)
    commands.add_parser("prepare", help="fetch kernel and virtme-ng")
    run = commands.add_parser("run", help="boot and run a command")
    run.add_argument("--memory", default="4G", help="default: 4G")
    run.add_argument("--cpus", type=int, default=2, help="default: 2")
    run.add_argument("--timeout", type=float, default=600, help="seconds from power on to power off (default: 600)")
    run.add_argument("--share", type=Path, help="a directory that is /run/share in the machine (default: a new one)")
    run.add_argument("--kvm", action="store_true", help="do not emulate")
    run.add_argument("command", nargs="+", metavar="-- COMMAND")
    return parser.parse_args()


def main() -> int:
    arguments = _arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # as an exception, so that the machine is ended too
    cache = default_cache()
    try:
        if arguments.verb == "prepare":
            prepare(cache)
            return 0
        machine = Machine(cache, arguments.memory, arguments.cpus, arguments.kvm)
        with contextlib.ExitStack() as stack:
            share = arguments.share or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="weft-vm-")))
            return machine.run(arguments.command, share.resolve(), arguments.timeout)
    except Refused as refused:
        print(f"vm: {refused}", file=sys.stderr)
    except subprocess.CalledProcessError as failed:
        print(f"vm: {shlex.join(failed.cmd)}: ended with {failed.returncode} {failed.stderr or ''}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
