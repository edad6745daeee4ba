"""The lab that a command is about."""

from weft.lab import machine
from weft.lab.config import LabConfig, check_name
from weft.lab.layout import Layout
from weft.lab.machine import LabError


def found(name: str) -> tuple[LabConfig, Layout]:
    """LabError where there is none of that name."""
    layout = Layout(check_name(name))
    config = machine.saved(layout)
    if config is None:
        others = ", ".join(machine.names())
        hint = f"there are: {others}" if others else f"weft up{'' if name == 'weft' else f' --name {name}'} makes it"
        raise LabError(f"there is no lab {name} ({hint})")
    return config, layout


def running(name: str) -> tuple[LabConfig, Layout]:
    """LabError where it is not there, or stopped."""
    config, layout = found(name)
    if not machine.supervisor_pid(layout):
        raise LabError(f"lab {name} is stopped (weft up{'' if name == 'weft' else f' --name {name}'} starts it)")
    return config, layout
