"""The command line: `genbab verify`, `genbab run`, `genbab inspect`, `genbab relax`.

Exit codes:

    0    a verdict was given (`verified`, `falsified`, `unknown`, `timeout`), or what was asked was done
    2    usage, or bad input: an option, model, specification, list, device or memory that cannot be used
    3    the model uses operators that genbab has no sound rule for (every one is listed)
    4    internal error: please report it (`--debug` shows where)
    130  ended by Ctrl-C   } the result so far is written first,
    143  ended by SIGTERM  } as `unknown`, or `timeout` when the time was up anyway

Messages go to stderr and never contain a verdict. No torch, no onnx is imported before a command needs it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from genbab.errors import GenbabError, ResourceError, UsageError
from genbab.system.process import brief_waits, collect_rarely

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code; every failure becomes a message on stderr.

    Without `argv` this is the whole program, and it ends the process itself: unloading torch and onnxruntime
    in good order takes a third of a second and is of no use to anybody.
    """
    _open_streams()
    if argv is None:
        collect_rarely()
    code = _main(list(sys.argv[1:] if argv is None else argv))
    if argv is None:
        _leave(code)
    return code


def _open_streams() -> None:
    """Let what is said where stdout or stderr was closed go nowhere.

    Else it would go into a file opened later.
    """
    for number, name in ((1, "stdout"), (2, "stderr")):
        if getattr(sys, name) is None:
            opened = os.open(os.devnull, os.O_WRONLY)
            if opened != number:
                os.dup2(opened, number)
                os.close(opened)
            setattr(sys, name, open(number, "w", closefd=False))


def _main(words: list[str]) -> int:
    brief_waits(os.environ)
    try:
        from genbab.cli.options.parser import parse

        options = parse(words)
        code: int = options.command(options)
    except KeyboardInterrupt:
        code = _say("interrupted", 130)
    except Exception as error:
        if "--debug" in words:
            raise
        code = report(error)
    return code


def report(error: Exception) -> int:
    """Say on stderr what went wrong; returns the exit code."""
    error = _understood(error)
    if isinstance(error, GenbabError) and type(error) is not GenbabError:
        return _say(f"error: {error}", error.exit_code)
    told = " ".join(str(error).split())
    return _say(
        f"internal error: {type(error).__name__}: {told}\nplease report this; --debug shows where it is",
        4,
    )


def _understood(error: Exception) -> Exception:
    """The same error, or what it means: memory that ran out (`ResourceError`), a damaged study."""
    text = str(error)
    out = isinstance(error, MemoryError) or type(error).__name__ in ("OutOfMemoryError", "_ArrayMemoryError")
    if out or (
        isinstance(error, RuntimeError) and ("can't allocate memory" in text or "out of memory" in text)
    ):
        first = text.strip().splitlines()[0] if text.strip() else "no more memory"
        return ResourceError(
            f"out of memory ({first[:200]}); try a smaller --memory or --batch, or a larger machine"
        )
    if type(error).__module__ == "sqlite3":
        return UsageError(f"the study file is damaged or cannot be used ({error}); choose another one")
    return error


def _leave(code: int) -> None:
    """End the process now, with everything that was said written out."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            pass
    os._exit(code)


def _say(message: str, code: int) -> int:
    try:
        print(f"genbab: {message}", file=sys.stderr, flush=True)
    except (OSError, ValueError):
        pass
    return code
