"""`python -m polykeras`: the same as the command `polykeras`."""

from __future__ import annotations

import sys

from polykeras.cli import main

if __name__ == "__main__":
    sys.exit(main())
