import sys

from weft import process
from weft.apiserver import run

if __name__ == "__main__":
    sys.exit(process.main("apiserver", run))
