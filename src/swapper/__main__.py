"""``python -m swapper``."""

import sys

from swapper.cli import main

if __name__ == "__main__":
    sys.exit(main())
