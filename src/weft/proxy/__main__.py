import sys

from weft.process import main
from weft.proxy import run

if __name__ == "__main__":
    sys.exit(main("proxy", run))
