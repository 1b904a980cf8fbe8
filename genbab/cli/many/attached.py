"""`python -m genbab.cli.many.attached PARENT WORD...`: the command line, ended with process PARENT."""

from __future__ import annotations

import sys

from genbab.cli import main
from genbab.system.process import end_with

if __name__ == "__main__":
    end_with(int(sys.argv.pop(1)))
    main()
