"""The words of `genbab verify`, `genbab resume` and `genbab supports`."""

from __future__ import annotations

from genbab.cli.options.command import CommandParser, Commands, called, carry_out
from genbab.cli.options.model import add_reading
from genbab.cli.options.nap import add_premise
from genbab.cli.options.settings import add_settings

CAPABILITIES = (
    "onnx-opset-versions",
    "onnx-element-types",
    "onnx-operators",
    "vnnlib-versions",
    "hidden-node-theories",
    "multiple-input-output-theories",
    "multiple-network-theories",
    "multiple-node-comparison-theories",
    "arithmetic-complexity-theories",
    "optimised-disjunctive-reasoning",
    "serialise-assignments",
    "unsat-proofs",
)
"""What the VNN-LIB standard lets ask of a solver."""


def _add_derivative(verify: CommandParser) -> None:
    verify.add_argument(
        "--derivative",
        action="store_true",
        help="in SPEC, DY_0_DX_1 is the derivative of Y_0 by X_1, D2Y_0_DX_1 the second one",
    )


def add_verify(commands: Commands) -> None:
    """Add `verify` to the commands."""
    verify = commands.add_parser(
        "verify",
        help="decide one specification of one model, or a VNN-LIB query",
        usage="genbab verify MODEL SPEC [options]\n"
        "       genbab verify QUERY --network NAME=MODEL [--network ...] [options]",
        description="Decide one specification of one model; or, as the VNN-LIB standard says, a query about "
        "the networks that it declares.",
        allow_abbrev=False,
    )
    verify.add_argument(
        "model", metavar="MODEL", help="ONNX file (.onnx, .onnx.gz); with --network the query"
    )
    verify.add_argument("spec", metavar="SPEC", nargs="?", help="VNN-LIB file (.vnnlib, .vnnlib.gz)")
    query = verify.add_argument_group("queries of the VNN-LIB standard")
    query.add_argument(
        "--network",
        metavar="NAME=MODEL",
        action="append",
        help="the model of a network that the query declares (repeat it); answers in VNN-LIB's words",
    )
    query.add_argument(
        "--serialise-assignments",
        "--serialize-assignments",
        dest="serialise",
        metavar="DIR",
        help="write a satisfying assignment as DIR/VARIABLE.pb instead of printing it",
    )
    query.add_argument(
        "--over-reals",
        action="store_true",
        help="read floating-point types in the query as real, instead of refusing them",
    )
    add_reading(verify)
    _add_derivative(verify)
    add_premise(verify)
    _add_places(verify)
    verify.add_argument("--checkpoint", metavar="FILE", help="keep the run there, for genbab resume")
    _add_every(verify)
    verify.add_argument("--proof", metavar="FILE", help="write a proof of `verified`, and have it checked")
    add_check(verify)
    _add_cluster(verify)
    add_settings(verify, called("genbab.cli.verify.verify"))


def add_resume(commands: Commands) -> None:
    """Add `resume` to the commands."""
    resume = commands.add_parser(
        "resume",
        help="go on with a run from its checkpoint",
        description="Go on with a run of `genbab verify --checkpoint FILE` from where it was kept. Settings "
        "are those of before, but for those that are given here.",
        allow_abbrev=False,
    )
    resume.add_argument("file", metavar="FILE", help="what --checkpoint wrote")
    resume.add_argument(
        "model", metavar="MODEL", nargs="?", help="where the model is now (default: as before)"
    )
    resume.add_argument("spec", metavar="SPEC", nargs="?", help="where the specification is now")
    _add_places(resume)
    resume.add_argument("--checkpoint", metavar="FILE", help="keep the run there from now on (default: FILE)")
    _add_every(resume)
    _add_cluster(resume)
    add_settings(resume, called("genbab.cli.verify.resume"))


def _add_places(parser: CommandParser) -> None:
    """Add where the result goes."""
    parser.add_argument("--json", metavar="FILE", help="write the result as JSON")
    parser.add_argument(
        "--counterexample", metavar="FILE", help="write the counterexample, if any, as a VNN-COMP witness"
    )
    parser.add_argument(
        "--result", metavar="FILE", help="write a VNN-COMP result file (sat/unsat/unknown/timeout, witness)"
    )
    parser.add_argument("--quiet", action="store_true", help="print the verdict only")
    parser.add_argument("--trace", metavar="FILE", help="record the run as it goes, for plot-trace")


def _add_every(parser: CommandParser) -> None:
    parser.add_argument(
        "--checkpoint-every",
        metavar="SECONDS",
        help="how often it is written (default: 60, or more where slow)",
    )


def _add_cluster(parser: CommandParser) -> None:
    about = "spread the search over a cluster: ray, ray:local, ray:auto, ray:HOST:PORT or ray://HOST:PORT"
    parser.add_argument("--cluster", metavar="RAY", help=f"{about} (needs genbab[ray])")


def add_check(parser: CommandParser) -> None:
    """Add how long the check of a proof may take."""
    about = "how long genbab-check may take after the verdict; 0: not at all (default: --timeout, else 1h)"
    parser.add_argument("--check-proof", metavar="SECONDS", help=about)


def add_supports(commands: Commands) -> None:
    """Add `supports` to the commands."""
    about = "say what is supported, as the VNN-LIB standard asks it"
    supports = commands.add_parser("supports", help=about, description=about, allow_abbrev=False)
    which = supports.add_mutually_exclusive_group()
    for name in CAPABILITIES:
        which.add_argument(f"--{name}", dest="capability", action="store_const", const=name)
    carry_out(supports, "genbab.cli.verify.supports")
