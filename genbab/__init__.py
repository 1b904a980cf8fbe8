"""genbab proves or refutes statements about neural networks with any nonlinearity.

Everything public is named here and loaded on first use: `import genbab` imports neither torch nor numpy.
The function `genbab.api.bounds` is public as `output_bounds`, because `genbab.bounds` is the subpackage.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from genbab.api import bounds as output_bounds
    from genbab.api import load, verify
    from genbab.config import Config
    from genbab.errors import GenbabError, ModelError, ResourceError, SpecError, UnsupportedError, UsageError
    from genbab.nonlinear import Expression, Nonlinearity
    from genbab.nonlinear.custom import register
    from genbab.plot import plot_relaxation
    from genbab.result import Counterexample, Result, Verdict
    from genbab.specs import Spec

__version__ = "0.1.0"

__all__ = [
    "Config",
    "Counterexample",
    "Expression",
    "GenbabError",
    "ModelError",
    "Nonlinearity",
    "ResourceError",
    "Result",
    "Spec",
    "SpecError",
    "UnsupportedError",
    "UsageError",
    "Verdict",
    "__version__",
    "load",
    "output_bounds",
    "plot_relaxation",
    "register",
    "verify",
]

_HOME = {
    "Config": ("genbab.config", "Config"),
    "Counterexample": ("genbab.result", "Counterexample"),
    "Expression": ("genbab.nonlinear", "Expression"),
    "GenbabError": ("genbab.errors", "GenbabError"),
    "ModelError": ("genbab.errors", "ModelError"),
    "Nonlinearity": ("genbab.nonlinear", "Nonlinearity"),
    "ResourceError": ("genbab.errors", "ResourceError"),
    "Result": ("genbab.result", "Result"),
    "Spec": ("genbab.specs", "Spec"),
    "SpecError": ("genbab.errors", "SpecError"),
    "UnsupportedError": ("genbab.errors", "UnsupportedError"),
    "UsageError": ("genbab.errors", "UsageError"),
    "Verdict": ("genbab.result", "Verdict"),
    "load": ("genbab.api", "load"),
    "output_bounds": ("genbab.api", "bounds"),
    "plot_relaxation": ("genbab.plot", "plot_relaxation"),
    "register": ("genbab.nonlinear.custom", "register"),
    "verify": ("genbab.api", "verify"),
}


def __getattr__(name: str) -> object:
    """The public object called `name`, imported when it is first asked for (PEP 562)."""
    if name not in _HOME:
        raise AttributeError(f"module 'genbab' has no attribute '{name}'")
    module, attribute = _HOME[name]
    return getattr(import_module(module), attribute)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
