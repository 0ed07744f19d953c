"""``napari-medpatch segment``."""

import argparse
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_medpatch.cli.clean_options import add_clean_options, clean_steps, cleaned
from napari_medpatch.cli.common import (
    add_device_options,
    add_model_options,
    add_source_options,
    check_apart,
    open_one,
    print_json,
    print_line,
    resolve,
)
from napari_medpatch.cli.export_options import add_export_options, export_options
from napari_medpatch.cli.kept import AFRESH, AGAIN, finished, is_new
from napari_medpatch.cli.partial_mask import PartialMask, partial_path
from napari_medpatch.cli.progress import consume
from napari_medpatch.cli.write_or_keep import Output, write_or_keep
from napari_medpatch.errors import KeptElsewhereError, OutputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from napari_medpatch.events import Job
    from napari_medpatch.io.export_format import ResultKind
    from napari_medpatch.io.export_job import Exported
    from napari_medpatch.io.source import Source


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the arguments."""
    parser.add_argument("path", help="volume, photograph or slide")
    add_model_options(parser)
    parser.add_argument("-o", "--output", required=True, type=Path, metavar="MASK", help=".nii.gz .dcm .stl .png …")
    parser.add_argument("--probabilities", type=Path, metavar="FILE", help="also write the probability maps")
    parser.add_argument(
        "--uncertainty", type=Path, metavar="FILE", help="also write the entropy of the classes, 0 to 1"
    )
    parser.add_argument(
        "--axis",
        type=slices,
        metavar="A",
        help="slices that a 2D model sees of a volume: axial (0), coronal (1), sagittal (2), or all, averaged "
        "(default: as the model's config.json says)",
    )
    parser.add_argument("--threshold", type=float, help="operating point instead of the model's own")
    parser.add_argument(
        "--skip-air",
        action=argparse.BooleanOptionalAction,
        help="leave out the air around a patient (default: as the model's config.json says)",
    )
    parser.add_argument("--no-resume", action="store_true", help="start afresh where an earlier run was stopped")
    parser.add_argument("--json", action="store_true", help="print the run record")
    add_source_options(parser)
    add_device_options(parser)
    add_export_options(parser)
    add_clean_options(parser)


def slices(text: str) -> int | str:
    """Read the name or number of an axis."""
    known: dict[str, int | str] = {"axial": 0, "coronal": 1, "sagittal": 2, "0": 0, "1": 1, "2": 2, "all": "all"}
    if text not in known:
        raise argparse.ArgumentTypeError(f"{text!r} is none of axial, coronal, sagittal, 0, 1, 2 and all")
    return known[text]


def run(arguments: argparse.Namespace) -> int:
    """Segment one image and write its mask."""
    from napari_medpatch.infer.block_store import remove_blocks
    from napari_medpatch.infer.segment import segment
    from napari_medpatch.io.export import check_output

    with closing(open_one(arguments.path, arguments)) as source:
        bundle = resolve(arguments)
        check_apart(arguments.output, arguments.probabilities, arguments.uncertainty)
        for path, kind in _outputs(arguments):
            check_output(path, source, kind)
        steps = clean_steps(arguments, source, bundle.card.class_names[1:])
        parts = _parts(arguments.output)
        with closing(PartialMask(source, arguments.output, bundle.card.name)) as partial:
            job = segment(source, bundle, _settings(arguments), parts=parts)
            with _nothing_lost(arguments, partial):
                result = consume(job, "segment", quiet=arguments.quiet, also=partial.take)
                result = cleaned(arguments, source, result, steps)
                written = _write(arguments, source, result, bundle.card.name)
        remove_blocks(parts)
        report(arguments, summary(result, source, written))
    return 0


def kept(arguments: argparse.Namespace, begun_ns: int) -> list[str]:
    """Return what a run that was stopped leaves, in words: the mask so far, and blocks to go on from."""
    from napari_medpatch.infer.block_store import has_blocks

    partial, told = partial_path(arguments.output), finished(arguments, begun_ns)
    if is_new(partial, begun_ns):
        told.append(f"the mask as far as it got is in {partial}")
    if has_blocks(_parts(arguments.output)):
        told.append(f"finished blocks are kept, {_how_to_go_on(arguments)}")
    return told


@contextmanager
def _nothing_lost(arguments: argparse.Namespace, partial: PartialMask) -> "Iterator[None]":
    """Keep what is done whatever ends the run, and say where it is."""
    from napari_medpatch.infer.block_store import has_blocks

    parts = _parts(arguments.output)
    try:
        yield
    except (KeyboardInterrupt, SystemExit):
        partial.save()
        raise
    except KeptElsewhereError:
        partial.remove()
        raise
    except OutputError as error:
        if not has_blocks(parts):
            raise
        told = f"finished blocks are kept in {parts}, {_how_to_go_on(arguments)}"
        raise OutputError(f"{str(error).rstrip('.')}; {told}.") from error
    partial.remove()


def _how_to_go_on(arguments: argparse.Namespace) -> str:
    return AFRESH if arguments.no_resume else AGAIN


def _parts(output: Path) -> Path:
    """Return the folder of finished blocks while a run is under way."""
    return output.with_name(output.name + ".parts")


def _outputs(arguments: argparse.Namespace) -> "list[tuple[Path, ResultKind]]":
    wanted: list[tuple[Path | None, ResultKind]] = [
        (arguments.output, "mask"),
        (arguments.probabilities, "probabilities"),
        (arguments.uncertainty, "probabilities"),
    ]
    return [(path, kind) for path, kind in wanted if path is not None]


def _settings(arguments: argparse.Namespace) -> Any:
    from napari_medpatch.infer.segment import SegmentSettings

    return SegmentSettings(
        device=arguments.device,
        precision=arguments.precision,
        probabilities=arguments.probabilities is not None,
        uncertainty=arguments.uncertainty is not None,
        axis=arguments.axis,
        threshold=arguments.threshold,
        skip_air=arguments.skip_air,
        resume=not arguments.no_resume,
        postprocess=not arguments.no_clean,
    )


def _write(arguments: argparse.Namespace, source: "Source", result: Any, model: str) -> "Exported":
    """Write what was asked for; return the files of the mask."""
    from napari_medpatch.io.export_job import exporting_mask, exporting_probabilities

    def output(
        wanted: Path, exporting: "Callable[..., Job]", values: Any, classes: "Sequence[str]"
    ) -> "Output[Exported]":
        def write(path: Path) -> "Exported":
            # A stand-in is one plain file, whatever the options say.
            options = export_options(arguments) if path == wanted else None
            job = exporting(values, source, path, class_names=classes, provenance=facts, options=options)
            written: Exported = consume(job, "write", quiet=arguments.quiet)
            return written

        return wanted, write

    facts, names = {"model": model, **result.provenance}, result.class_names
    outputs = [output(arguments.output, exporting_mask, result.mask, names)]
    if arguments.probabilities is not None:
        outputs.append(output(arguments.probabilities, exporting_probabilities, result.probabilities, names))
    if arguments.uncertainty is not None:
        outputs.append(output(arguments.uncertainty, exporting_probabilities, result.uncertainty, ["uncertainty"]))
    return write_or_keep(outputs)[0]


def summary(result: Any, source: "Source", written: "Exported") -> dict[str, Any]:
    """Return the run record with the volume or area of each class."""
    voxel = float(np.prod(source.spacing.values)) if source.spacing is not None else None
    counts = np.bincount(result.mask.ravel(), minlength=len(result.class_names) + 1)
    classes: dict[str, Any] = {}
    for value, name in enumerate(result.class_names, start=1):
        classes[name] = {"voxels" if source.kind == "volume" else "pixels": int(counts[value])}
        if voxel is not None and source.kind == "volume":
            classes[name]["ml"] = round(int(counts[value]) * voxel / 1000, 3)
    files = [str(path) for path in written.paths]
    own = {"output": files[0], "files": files, "classes": classes, "seconds": round(result.seconds, 2)}
    return own | dict(result.provenance)


def report(arguments: argparse.Namespace, record: dict[str, Any]) -> None:
    """Print the record as JSON or as a line per class."""
    if arguments.json:
        print_json(record)
        return
    for name, facts in record.get("classes", {}).items():
        print_line(f"{name}: " + ", ".join(f"{value} {unit}" for unit, value in facts.items()))
    for path in record["files"]:
        print_line(f"wrote {path}")
