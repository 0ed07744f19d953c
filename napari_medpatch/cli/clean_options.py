"""Cleaning the mask of a run by steps of the command line."""

import argparse
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from napari_medpatch.cli.progress import consume

if TYPE_CHECKING:
    from napari_medpatch.infer.clean.step import CleanStep
    from napari_medpatch.io.source import Source


def add_clean_options(parser: argparse.ArgumentParser) -> None:
    """Add the steps, and the switch of the model's own clean-up."""
    parser.add_argument(
        "--clean",
        action="append",
        default=[],
        metavar="STEP",
        help="clean the mask afterwards, in the order given: largest:2, smooth:1mm, … (see 'clean --help')",
    )
    parser.add_argument("--no-clean", action="store_true", help="leave out the model's own clean-up")


def clean_steps(arguments: argparse.Namespace, source: "Source", class_names: Sequence[str]) -> "tuple[CleanStep, ...]":
    """Read the steps and refuse now what could not be done after the run."""
    from napari_medpatch.infer.clean.job import try_steps
    from napari_medpatch.infer.clean.registry import parse_steps

    steps = parse_steps(arguments.clean)
    try_steps(source, steps, class_names)
    return steps


def cleaned(arguments: argparse.Namespace, source: "Source", result: Any, steps: "Sequence[CleanStep]") -> Any:
    """Return the result of a run with its mask cleaned, and what that changed in its provenance."""
    if not steps:
        return result
    from napari_medpatch.infer.clean.job import clean_up

    job = clean_up(source, result.mask, steps, class_names=result.class_names)
    done = consume(job, "clean", quiet=arguments.quiet)
    records = [*result.provenance.get("clean_up", []), done.provenance]
    provenance = {**result.provenance, "clean_up": records}
    return replace(result, mask=done.mask, class_names=done.class_names, provenance=provenance)
