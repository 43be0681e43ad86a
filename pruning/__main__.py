"""Command line: ``python -m pruning run --task sst2``; see ``python -m pruning --help``."""

from __future__ import annotations

import sys

from pruning.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
