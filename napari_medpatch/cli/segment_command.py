"""``napari-medpatch segment``."""

import argparse
from contextlib import closing
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

if TYPE_CHECKING:
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
            try:
                result = consume(job, "segment", quiet=arguments.quiet, also=partial.take)
                result = cleaned(arguments, source, result, steps)
                written = _write(arguments, source, result, bundle.card.name)
            except (KeyboardInterrupt, SystemExit):
                partial.save()
                raise
            partial.remove()
        remove_blocks(parts)
        report(arguments, summary(result, source, written))
    return 0


def kept(arguments: argparse.Namespace, begun_ns: int) -> list[str]:
    """Return what a run that was stopped leaves, in words: the mask so far, and blocks to go on from."""
    partial, told = partial_path(arguments.output), finished(arguments, begun_ns)
    if is_new(partial, begun_ns):
        told.append(f"the mask as far as it got is in {partial}")
    if any(_parts(arguments.output).rglob("block-*.npz")):
        told.append(f"finished blocks are kept, {AFRESH if arguments.no_resume else AGAIN}")
    return told


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

    facts: dict[str, Any] = {"provenance": {"model": model, **result.provenance}, "options": export_options(arguments)}
    names, jobs = result.class_names, []
    jobs.append(exporting_mask(result.mask, source, arguments.output, class_names=names, **facts))
    if arguments.probabilities is not None:
        maps, path = result.probabilities, arguments.probabilities
        jobs.append(exporting_probabilities(maps, source, path, class_names=names, **facts))
    if arguments.uncertainty is not None:
        maps, path = result.uncertainty, arguments.uncertainty
        jobs.append(exporting_probabilities(maps, source, path, class_names=["uncertainty"], **facts))
    written: list[Exported] = [consume(job, "write", quiet=arguments.quiet) for job in jobs]
    return written[0]


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
