"""``napari-medpatch classify``."""

import argparse
import importlib
import logging
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from napari_medpatch.cli.classify_options import add_patch_options, add_score_options, settings_of
from napari_medpatch.cli.common import (
    add_device_options,
    add_model_options,
    add_source_options,
    print_json,
    print_line,
    resolve,
)
from napari_medpatch.cli.kept import AFRESH, AGAIN, is_new
from napari_medpatch.cli.progress import consume
from napari_medpatch.events import SlideDone

if TYPE_CHECKING:
    from napari_medpatch.cohort.outcome import SlideOutcome
    from napari_medpatch.infer.classify_result import ClassifySettings
    from napari_medpatch.models.bundle import Bundle


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the arguments."""
    parser.add_argument("paths", nargs="+", metavar="PATH", help="slides, photographs, folders of patches, or patterns")
    add_model_options(parser)
    parser.add_argument("-o", "--output", required=True, type=Path, metavar="DIR", help="folder of the results")
    add_patch_options(parser)
    add_score_options(parser)
    parser.add_argument(
        "--scheduler", metavar="ADDRESS", help="of a dask cluster that takes the slides, such as tcp://host:8786"
    )
    parser.add_argument("--json", action="store_true", help="print the run records")
    add_source_options(parser)
    add_device_options(parser)


def run(arguments: argparse.Namespace) -> int:
    """Classify each path; goes on after a bad one and says so at the end."""
    from napari_medpatch.cohort.plan import expand

    settings = settings_of(arguments)
    paths = expand(arguments.paths)
    bundle = resolve(arguments)
    if len(paths) == 1 and arguments.scheduler is None:
        return _one(paths[0], bundle, settings, arguments)
    return _many(paths, bundle, settings, arguments)


def kept(arguments: argparse.Namespace, begun_ns: int) -> list[str]:
    """Return what a run that was stopped leaves, in words: finished images, and scores of those under way."""
    folder, told = arguments.output, list[str]()
    records = sum(is_new(path, begun_ns) for path in folder.glob("*.json"))
    if records:
        told.append(f"the results of {records} finished image{'s' if records > 1 else ''} are in {folder}")
    if any(folder.glob("*.parts/part-*")):
        told.append(f"finished patches of the others are kept, {AFRESH if arguments.no_resume else AGAIN}")
    return told


def _one(path: str, bundle: "Bundle", settings: "ClassifySettings", arguments: argparse.Namespace) -> int:
    """Classify one path with a bar over its patches; raises what is wrong with it."""
    from napari_medpatch.cli.slides_table import as_record
    from napari_medpatch.cohort.plan import plan
    from napari_medpatch.cohort.slide import classify_task

    (task,) = plan(
        [path], arguments.output, settings, mpp=arguments.mpp, roi=arguments.roi, tissue=arguments.tissue
    )  # fmt: skip
    outcome: SlideOutcome = consume(classify_task(task, bundle), Path(path).name, quiet=arguments.quiet)
    if arguments.json:
        print_json([as_record(outcome)])
    else:
        for file in outcome.files:
            print_line(f"wrote {file}")
    return 0


def _many(paths: list[str], bundle: "Bundle", settings: "ClassifySettings", arguments: argparse.Namespace) -> int:
    """Classify several paths with a bar over slides; tells what was done even if it is interrupted."""
    from napari_medpatch.cli.slides_table import SlidesTerminal
    from napari_medpatch.cohort.many import classify_many

    outcomes: list[SlideOutcome] = []
    job = classify_many(
        paths,
        bundle,
        settings,
        arguments.output,
        scheduler=arguments.scheduler,
        mpp=arguments.mpp,
        roi=arguments.roi,
        tissue=arguments.tissue,
    )
    terminal = SlidesTerminal("slides", quiet=arguments.quiet)
    try:
        with _hushed(arguments), closing(terminal), closing(job):
            for event in job:
                terminal.show(event)
                if isinstance(event, SlideDone):
                    outcomes.append(event.outcome)
    finally:
        _tell(sorted(outcomes, key=lambda outcome: paths.index(outcome.path)), arguments)
    failures = sum(outcome.state == "failed" for outcome in outcomes)
    if failures:
        sys.stderr.write(f"napari-medpatch: {failures} of {len(paths)} failed\n")
    return 2 if failures else 0


@contextmanager
def _hushed(arguments: argparse.Namespace) -> Iterator[None]:
    """Keep dask's own log, with its tracebacks, off the terminal: what matters of it we say ourselves."""
    if arguments.scheduler is None or arguments.debug:
        yield
        return
    with suppress(ImportError):
        importlib.import_module("distributed")  # It sets its levels when it is imported.
    loggers = [logging.getLogger(name) for name in ("distributed", "distributed.client")]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)


def _tell(outcomes: "Sequence[SlideOutcome]", arguments: argparse.Namespace) -> None:
    from napari_medpatch.cli.slides_table import as_record, table

    if not outcomes:
        return
    if arguments.json:
        print_json([as_record(outcome) for outcome in outcomes])
    for line in table(outcomes):
        if arguments.json:
            sys.stderr.write(line + "\n")
        else:
            print_line(line)
