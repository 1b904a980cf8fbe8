"""genbab proves or refutes statements about neural networks with any nonlinearity.

Everything public is named here and loaded on first use: `import genbab` imports neither torch nor numpy.
Two functions of `genbab.api` have other names here, because those are subpackages: `bounds` is
`output_bounds`, `attack` is `find_counterexample`. How idle threads of torch wait is said when the first one
is asked for, since it is read when torch is loaded (`brief_waits`).
"""

from __future__ import annotations

import os
import sys
from importlib import import_module
from typing import TYPE_CHECKING

from genbab.version import __version__

if TYPE_CHECKING:
    from genbab.api import attack as find_counterexample
    from genbab.api import bounds as output_bounds
    from genbab.api import load, prove, resume, verify
    from genbab.bounds.methods import LinearBounds
    from genbab.calculus.certified import jacobian_range, lipschitz, lyapunov_decrease, maximum, monotonicity
    from genbab.calculus.derivatives import derivative, jvp, vjp
    from genbab.calculus.formulas import formulas
    from genbab.calculus.results import CertifiedMaximum, Decrease, DerivativeRange, Monotonicity
    from genbab.config import Config
    from genbab.errors import (
        DeadlineReached,
        GenbabError,
        ModelError,
        ResourceError,
        SpecError,
        UnsupportedError,
        UsageError,
    )
    from genbab.nonlinear import Expression, Nonlinearity
    from genbab.nonlinear.composed.custom import register
    from genbab.plot.relaxation import plot_relaxation
    from genbab.plot.trace import plot_trace
    from genbab.reader import save
    from genbab.reporting.write import report
    from genbab.result import Counterexample, Result, Verdict
    from genbab.specs import Spec
    from genbab.studies.ranges import OutputRange, output_range
    from genbab.studies.records.store import Study
    from genbab.studies.results import CertifiedAccuracy, CertifiedRadius, Comparison
    from genbab.studies.robustness import certified_accuracy, certified_radius, compare

__all__ = [
    "CertifiedAccuracy",
    "CertifiedMaximum",
    "CertifiedRadius",
    "Comparison",
    "Config",
    "Counterexample",
    "DeadlineReached",
    "Decrease",
    "DerivativeRange",
    "Expression",
    "GenbabError",
    "LinearBounds",
    "ModelError",
    "Monotonicity",
    "Nonlinearity",
    "OutputRange",
    "ResourceError",
    "Result",
    "Spec",
    "SpecError",
    "Study",
    "UnsupportedError",
    "UsageError",
    "Verdict",
    "__version__",
    "certified_accuracy",
    "certified_radius",
    "compare",
    "derivative",
    "find_counterexample",
    "formulas",
    "jacobian_range",
    "jvp",
    "lipschitz",
    "load",
    "lyapunov_decrease",
    "maximum",
    "monotonicity",
    "output_bounds",
    "output_range",
    "plot_relaxation",
    "plot_trace",
    "prove",
    "register",
    "report",
    "resume",
    "save",
    "verify",
    "vjp",
]

_HOME = {
    "CertifiedAccuracy": ("genbab.studies.results", "CertifiedAccuracy"),
    "CertifiedMaximum": ("genbab.calculus.results", "CertifiedMaximum"),
    "CertifiedRadius": ("genbab.studies.results", "CertifiedRadius"),
    "Comparison": ("genbab.studies.results", "Comparison"),
    "Config": ("genbab.config", "Config"),
    "Counterexample": ("genbab.result", "Counterexample"),
    "DeadlineReached": ("genbab.errors", "DeadlineReached"),
    "DerivativeRange": ("genbab.calculus.results", "DerivativeRange"),
    "Decrease": ("genbab.calculus.results", "Decrease"),
    "Expression": ("genbab.nonlinear", "Expression"),
    "GenbabError": ("genbab.errors", "GenbabError"),
    "LinearBounds": ("genbab.bounds.methods", "LinearBounds"),
    "ModelError": ("genbab.errors", "ModelError"),
    "Monotonicity": ("genbab.calculus.results", "Monotonicity"),
    "Nonlinearity": ("genbab.nonlinear", "Nonlinearity"),
    "OutputRange": ("genbab.studies.ranges", "OutputRange"),
    "ResourceError": ("genbab.errors", "ResourceError"),
    "Result": ("genbab.result", "Result"),
    "Spec": ("genbab.specs", "Spec"),
    "SpecError": ("genbab.errors", "SpecError"),
    "Study": ("genbab.studies.records.store", "Study"),
    "UnsupportedError": ("genbab.errors", "UnsupportedError"),
    "UsageError": ("genbab.errors", "UsageError"),
    "Verdict": ("genbab.result", "Verdict"),
    "certified_accuracy": ("genbab.studies.robustness", "certified_accuracy"),
    "certified_radius": ("genbab.studies.robustness", "certified_radius"),
    "compare": ("genbab.studies.robustness", "compare"),
    "derivative": ("genbab.calculus.derivatives", "derivative"),
    "find_counterexample": ("genbab.api", "attack"),
    "formulas": ("genbab.calculus.formulas", "formulas"),
    "jacobian_range": ("genbab.calculus.certified", "jacobian_range"),
    "jvp": ("genbab.calculus.derivatives", "jvp"),
    "lipschitz": ("genbab.calculus.certified", "lipschitz"),
    "load": ("genbab.api", "load"),
    "lyapunov_decrease": ("genbab.calculus.certified", "lyapunov_decrease"),
    "maximum": ("genbab.calculus.certified", "maximum"),
    "monotonicity": ("genbab.calculus.certified", "monotonicity"),
    "output_bounds": ("genbab.api", "bounds"),
    "output_range": ("genbab.studies.ranges", "output_range"),
    "plot_relaxation": ("genbab.plot.relaxation", "plot_relaxation"),
    "plot_trace": ("genbab.plot.trace", "plot_trace"),
    "prove": ("genbab.api", "prove"),
    "register": ("genbab.nonlinear.composed.custom", "register"),
    "report": ("genbab.reporting.write", "report"),
    "resume": ("genbab.api", "resume"),
    "save": ("genbab.reader", "save"),
    "verify": ("genbab.api", "verify"),
    "vjp": ("genbab.calculus.derivatives", "vjp"),
}


def __getattr__(name: str) -> object:
    """The public object called `name`, imported when it is first asked for (PEP 562)."""
    if name not in _HOME:
        raise AttributeError(f"module 'genbab' has no attribute '{name}'")
    if "torch" not in sys.modules:
        from genbab.system.process import brief_waits

        brief_waits(os.environ)
    module, attribute = _HOME[name]
    return getattr(import_module(module), attribute)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
