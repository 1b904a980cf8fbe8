"""What all drawings share: colours, new figures, and files written with clear errors."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from genbab.errors import UsageError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

# Colours of Okabe and Ito: told apart by everybody, in grey too.
INK, LOWER, UPPER, QUIET = "#222222", "#0072B2", "#D55E00", "#8A8A8A"
GREEN, YELLOW, SKY, PINK = "#009E73", "#E69F00", "#56B4E9", "#CC79A7"


def figure(path: str | Path | None, size: tuple[float, float]) -> Figure:
    """A new figure; pyplot, which chooses a window system, is left alone where a file is all that is wanted.

    Raises `UsageError` where matplotlib is missing.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise UsageError('drawing needs matplotlib: pip install "genbab[plot]"') from error
    if path is not None:
        return Figure(size, layout="constrained")
    from matplotlib import pyplot

    return pyplot.figure(figsize=size, layout="constrained")


def axes(path: str | Path | None) -> Axes:
    """The axes of a new figure of one drawing."""
    return figure(path, (7.2, 4.8)).add_subplot()


def save(whole: Figure | SubFigure | None, path: str | Path) -> None:
    """Write an image file of the kind that its name says; raises `UsageError`."""
    from matplotlib.figure import Figure

    assert isinstance(whole, Figure)
    try:
        if Path(path).is_dir():
            raise UsageError(
                f"cannot write {path}: it is a folder; give the name of a file, such as look.png"
            )
        whole.savefig(path, dpi=150)
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror or error}") from error
    except (ValueError, TypeError) as error:
        raise UsageError(f"cannot write {path}: {error}") from error
