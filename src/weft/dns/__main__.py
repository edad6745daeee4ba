import sys

from weft.dns import run
from weft.process import main

sys.exit(main("dns", run))
