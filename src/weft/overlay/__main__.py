import sys

from weft import process
from weft.overlay import run

sys.exit(process.main("network", run))
