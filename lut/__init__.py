"""Read-only tables of good branching points: where to split an interval so that least area is left.

Floor 3. `table` reads a table, `areas` and `build` make one, `store` keeps it in a file, `generate` knows
which functions have one. Tables of the library are in `data/`, made by `genbab lut build`; others are made
when they are first needed and kept in the user's cache folder. No point is ever wrong, only better or worse.
"""

from __future__ import annotations

if __name__ != "genbab.lut":
    raise ImportError("this folder is the package genbab.lut: import genbab.lut")
