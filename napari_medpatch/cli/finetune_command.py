"""``napari-medpatch finetune``."""

import argparse
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_medpatch.cli.common import (
    add_source_options,
    check_apart,
    names,
    open_one,
    print_json,
    print_line,
)
from napari_medpatch.cli.kept import is_new
from napari_medpatch.cli.progress import consume
from napari_medpatch.cli.sparse_labels import read_sparse_labels
from napari_medpatch.cli.write_or_keep import Output, write_or_keep
from napari_medpatch.errors import KeptElsewhereError

if TYPE_CHECKING:
    from napari_medpatch.io.source import Source


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the arguments."""
    parser.add_argument("path", help="the image that was painted on")
    parser.add_argument("labels", help="sparse labels on its grid: 0 unlabelled, 1 background, 2… classes")
    parser.add_argument("-o", "--output", required=True, type=Path, metavar="BUNDLE", help="folder of the new model")
    parser.add_argument("--base", metavar="M", help="model to start from (name or bundle folder)")
    budget = parser.add_mutually_exclusive_group()
    budget.add_argument("--seconds", type=float, help="time budget (default 60)")
    budget.add_argument("--steps", type=int, help="number of steps instead of a time budget")
    parser.add_argument("--predict", type=Path, metavar="MASK", help="also write the new mask of this image")
    parser.add_argument("--probabilities", type=Path, metavar="FILE", help="also write its probability maps")
    parser.add_argument("--classes", type=names, metavar="A,B", help="names of the classes painted as 2, 3, …")
    parser.add_argument(
        "--origins",
        type=Path,
        metavar="FILE",
        help="where labels come from; interpolated and predicted ones are left out",
    )
    parser.add_argument(
        "--use-accepted", action="store_true", help="learn from those of --origins too; never score on them"
    )
    parser.add_argument("--seed", type=int, default=0, help="default 0")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, mps (default auto)")
    parser.add_argument("--json", action="store_true", help="print the run record")
    add_source_options(parser)


def run(arguments: argparse.Namespace) -> int:
    """Train from sparse labels, save the bundle and, on request, the mask."""
    from napari_medpatch.io.export import check_output
    from napari_medpatch.models.registry import resolve_model
    from napari_medpatch.train.fine_tune import fine_tune

    with closing(open_one(arguments.path, arguments)) as source:
        labels = read_sparse_labels(arguments.labels, source, arguments.classes, arguments.origins)
        base = resolve_model(arguments.base) if arguments.base else None
        check_apart(arguments.predict, arguments.probabilities, labels=(arguments.labels, arguments.origins))
        for path in filter(None, (arguments.predict, arguments.probabilities)):
            check_output(path, source)
        job = fine_tune(source, labels, base, _settings(arguments), out=arguments.output)
        misplaced: KeptElsewhereError | None = None
        try:
            result: Any = consume(job, "finetune", quiet=arguments.quiet)
        except KeptElsewhereError as error:
            if error.result is None:
                raise
            result, misplaced = error.result, error
        write_or_keep(_outputs(arguments, source, result), also=misplaced)
    _report(arguments, result)
    return 0


def kept(arguments: argparse.Namespace, begun_ns: int) -> list[str]:
    """Return what a training that was stopped leaves, in words; the bundle is complete or absent."""
    there = is_new(arguments.output, begun_ns)
    return [f"the model as far as it was trained is in {arguments.output}"] if there else []


def _outputs(arguments: argparse.Namespace, source: "Source", result: Any) -> "list[Output[Path]]":
    from napari_medpatch.io.export import write_mask, write_probabilities

    facts = {"class_names": result.class_names, "provenance": result.provenance}
    outputs: list[Output[Path]] = []
    if arguments.predict is not None:
        outputs.append((arguments.predict, lambda path: write_mask(result.mask, source, path, **facts)))
    if arguments.probabilities is not None:
        maps = result.probabilities
        outputs.append((arguments.probabilities, lambda path: write_probabilities(maps, source, path, **facts)))
    return outputs


def _settings(arguments: argparse.Namespace) -> Any:
    from napari_medpatch.train.fine_tune import FineTuneSettings

    wants_mask = arguments.predict is not None or arguments.probabilities is not None
    options: dict[str, Any] = {"device": arguments.device, "seed": arguments.seed, "predict": wants_mask}
    options["use_accepted"] = arguments.use_accepted
    if arguments.seconds is not None:
        options["seconds"] = arguments.seconds
    if arguments.steps is not None:
        options["steps"] = arguments.steps
    return FineTuneSettings(**options)


def _report(arguments: argparse.Namespace, result: Any) -> None:
    record = {
        "bundle": str(arguments.output),
        "steps": result.steps,
        "seconds": round(result.seconds, 2),
        "classes": list(result.class_names),
        "metrics": dict(result.metrics),
        "mask": str(arguments.predict) if arguments.predict is not None else None,
    }
    if arguments.json:
        print_json(record)
        return
    print_line(f"{result.steps} steps in {result.seconds:.0f} s; wrote {arguments.output}")
    if arguments.predict is not None:
        print_line(f"wrote {arguments.predict}")
