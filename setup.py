"""The one thing that pyproject.toml cannot say: two small programs are compiled when a wheel is built."""

import runpy
from pathlib import Path

from setuptools import setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_py import build_py

_PROGRAMS = {
    "weft/cni/shim/weft-cni": "weft/cni/shim/weft-cni.c",
    "weft/lab/images/weft-pause": "weft/lab/images/pause.c",
}
"""Executable → its source. Where there is no compiler, something slower or larger takes their place."""
_HERE = Path(__file__).parent


class BuildWithShim(build_py):
    def run(self):
        super().run()
        # An editable installation runs from the sources, so there the executable lies beside them.
        root = _HERE / "src" if self.editable_mode else Path(self.build_lib)
        build = runpy.run_path(str(_HERE / "src/weft/cni/shim/build.py"))["build"]
        for program, source in _PROGRAMS.items():
            if not build(root / program, _HERE / "src" / source):
                self.warn(f"no C compiler: {Path(program).name} is left out")


class WheelOfThisMachine(bdist_wheel):
    """Any Python 3, but this kind of machine: the wheel holds an executable."""

    def finalize_options(self):
        super().finalize_options()
        self.root_is_pure = False

    def get_tag(self):
        return "py3", "none", super().get_tag()[2]


setup(cmdclass={"build_py": BuildWithShim, "bdist_wheel": WheelOfThisMachine})
