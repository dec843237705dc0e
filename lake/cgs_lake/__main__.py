"""Responsible for `python -m cgs_lake`: it can be stopped at any moment, also while it still loads its libraries."""

import os
import signal
import sys

from cgs_lake.failure import interrupted, print_errors


def stop_at_once(*_):
    """Nothing was begun. An exception here could be taken for a fault of the library that is being loaded."""
    print_errors({"status": "failed", "tables": []}, [interrupted()], "--json" in sys.argv)
    os._exit(4)


def main():
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop_at_once)
    from cgs_lake import cli

    return cli.main()


if __name__ == "__main__":
    sys.exit(main())
