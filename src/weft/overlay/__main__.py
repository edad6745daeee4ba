import sys

from weft.overlay import run
from weft.process import main

if __name__ == "__main__":
    sys.exit(main("network", run))
