"""`python -m genbab`: the command line."""

from __future__ import annotations

import sys

from genbab.cli import main

sys.exit(main())
