"""``python -m swapper.sim``."""

import sys

from swapper.sim.cli import main

if __name__ == "__main__":
    sys.exit(main())
