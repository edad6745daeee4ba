"""`python -m weft.kubelet`."""

import sys

from weft import process
from weft.kubelet import run

if __name__ == "__main__":
    sys.exit(process.main("kubelet", run))
