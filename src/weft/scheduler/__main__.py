import sys

from weft.process import main
from weft.scheduler import run

sys.exit(main("scheduler", run))
