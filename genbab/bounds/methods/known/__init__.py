"""The bounding methods: one file each, found by itself; a new file here needs no other edit."""

from __future__ import annotations

import importlib
import pkgutil

from genbab.bounds.methods.method import Method

KNOWN: dict[str, Method] = {
    method.name: method
    for method in (
        importlib.import_module(f"{__name__}.{info.name}").METHOD
        for info in sorted(pkgutil.iter_modules(__path__), key=lambda info: info.name)
    )
}
"""The methods by name."""
