"""The same as ``slimviz``, without having been installed: ``python -m slimviz dashboard my-studies``."""

from __future__ import annotations

import sys

from slimviz.command import main

if __name__ == "__main__":
    sys.exit(main(program="python -m slimviz"))
