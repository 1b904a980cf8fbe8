"""The words of commands about many questions: `run`, `study`, `report`."""

from __future__ import annotations

from genbab.cli.options.command import Commands, called, carry_out
from genbab.cli.options.model import add_reading
from genbab.cli.options.settings import add_settings
from genbab.cli.options.verify import add_check


def add_run(commands: Commands) -> None:
    """Add `run` to the commands."""
    run = commands.add_parser("run", help="verify a VNN-COMP list of instances", allow_abbrev=False)
    run.add_argument(
        "instances",
        metavar="INSTANCES.csv",
        help="rows of onnx,vnnlib,timeout; paths are relative to the list",
    )
    run.add_argument(
        "--output",
        metavar="FILE.csv",
        help="results in VNN-COMP's form (default: beside the list)",
    )
    run.add_argument("--study", metavar="FILE.db", help="the file that keeps all (default: beside those)")
    about = "processes at a time (default: 1; with --cluster: as many as there is room for)"
    run.add_argument("--workers", metavar="N", help=about)
    about = "run on the nodes of a cluster: ray, ray:local, ray:auto, ray:HOST:PORT or ray://HOST:PORT"
    run.add_argument("--cluster", metavar="RAY", help=f"{about} (needs genbab[ray])")
    run.add_argument("--counterexamples", metavar="FOLDER", help="keep the counterexamples there")
    run.add_argument("--proofs", metavar="FOLDER", help="keep proofs there, and have them checked")
    add_check(run)
    run.add_argument("--fresh", action="store_true", help="forget earlier results instead of resuming")
    add_reading(run, "--model-output")
    add_settings(run, called("genbab.cli.many.run"), without=["workers", "portfolio"])


def add_study(commands: Commands) -> None:
    """Add `study` to the commands."""
    study = commands.add_parser("study", help="show or export a study file", allow_abbrev=False)
    study.add_argument("study", metavar="FILE.db", help="what `genbab run` or the Python API has kept")
    for form in ("csv", "jsonl", "vnncomp"):
        study.add_argument(f"--{form}", metavar="FILE", help="write it in this form")
    carry_out(study, "genbab.cli.tools.study")


def add_report(commands: Commands) -> None:
    """Add `report` to the commands."""
    report = commands.add_parser(
        "report",
        help="show a study as one HTML page",
        description="Write a study as one HTML page that loads nothing from anywhere (needs genbab[report]).",
        allow_abbrev=False,
    )
    report.add_argument("study", metavar="STUDY", help="what `genbab run` or the Python API has kept")
    report.add_argument("--out", metavar="FILE", help="write it there (default: beside the study, .html)")
    report.add_argument("--against", metavar="STUDY", help="another study, to compare with")
    report.add_argument("--title", metavar="TEXT", help="the heading (default: the study's name)")
    about = 'inputs as pictures, "28x28" or "3x32x32"; "none" draws none (default: by the models)'
    report.add_argument("--shape", metavar="SHAPE", help=about)
    carry_out(report, "genbab.cli.tools.study_report")
