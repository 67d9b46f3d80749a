"""``python -m bayesmeta`` is the command line."""

import sys

from bayesmeta.cli import main

if __name__ == "__main__":
    sys.exit(main())
