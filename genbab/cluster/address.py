"""Where a cluster is: the words after `--cluster`, understood."""

from __future__ import annotations

from dataclasses import dataclass

from genbab.errors import UsageError

ACCEPTED = (
    "ray (one that runs, else one started here), ray:local (started here), ray:auto (one that runs), "
    "ray:HOST:PORT (this machine is one of its nodes) or ray://HOST:PORT (a Ray client)"
)


@dataclass(frozen=True)
class ClusterAddress:
    """Where Ray is looked for, as `ray.init` takes it: "", "local", "auto", HOST:PORT or ray://HOST:PORT.

    "" is one that runs, or else one that is started here.
    """

    place: str = ""

    @classmethod
    def of(cls, text: str) -> ClusterAddress:
        """What the text means; raises `UsageError` for another one."""
        kind, colon, place = text.partition(":")
        known = place in ("local", "auto") or _listening(place.removeprefix("//"))
        if kind != "ray" or (colon and not known):
            raise UsageError(f"cluster {text!r:.80}: must be {ACCEPTED}")
        return cls("ray:" + place if place.startswith("//") else place)


def _listening(place: str) -> bool:
    """Whether this is HOST:PORT."""
    host, _, port = place.rpartition(":")
    named = bool(host) and not any(c.isspace() or c in "/@" for c in host)
    return named and port.isascii() and port.isdecimal() and 0 < int(port[:6]) < 65536
