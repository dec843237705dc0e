"""Responsible for `python -m cgs_lake`."""

import sys

from cgs_lake.cli import main

if __name__ == "__main__":
    sys.exit(main())
