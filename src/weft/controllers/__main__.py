import sys

from weft.controllers import run
from weft.process import main

sys.exit(main("controllers", run))
