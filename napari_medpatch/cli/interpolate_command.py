"""``napari-medpatch interpolate``."""

import argparse
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_medpatch.cli.common import add_source_options, check_apart, names, open_one, print_json, print_line
from napari_medpatch.cli.progress import consume
from napari_medpatch.cli.sparse_labels import read_sparse_labels

if TYPE_CHECKING:
    from napari_medpatch.annotate.interpolate import InterpolateSettings, InterpolationResult
    from napari_medpatch.annotate.sparse import SparseLabels
    from napari_medpatch.io.source import Source

_AXES = {"auto": None, "axial": 0, "coronal": 1, "sagittal": 2, "0": 0, "1": 1, "2": 2}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the arguments."""
    parser.add_argument("path", help="the volume that was painted on")
    parser.add_argument("labels", help="sparse labels on its grid: 0 unlabelled, 1 background, 2… classes")
    parser.add_argument("-o", "--output", required=True, type=Path, metavar="LABELS", help="the filled labels")
    parser.add_argument(
        "--axis",
        default="auto",
        choices=_AXES,
        metavar="AXIS",
        help="axial, coronal or sagittal slices were painted (0, 1, 2); default auto: the most fully painted ones",
    )
    parser.add_argument(
        "--method",
        default="walker",
        choices=["shape", "walker"],
        help="shape: painted outlines only; walker: the border follows the image (default)",
    )
    parser.add_argument("--classes", type=names, metavar="A,B", help="names of the classes painted as 2, 3, …")
    parser.add_argument("--only", type=names, default=(), metavar="A,B", help="fill these classes only")
    parser.add_argument("--background", action="store_true", help="fill background too")
    parser.add_argument(
        "--beyond", type=int, default=0, metavar="N", help="go on for N slices after the outermost (default 0)"
    )
    parser.add_argument(
        "--band",
        type=float,
        metavar="MM",
        help="how far the image may move the border (default: half the way to the nearest painted slice, 4 to 20)",
    )
    parser.add_argument(
        "--origins", type=Path, metavar="FILE", help="also write where labels come from: 1 painted, 2 interpolated"
    )
    parser.add_argument("--json", action="store_true", help="print the run record")
    add_source_options(parser)


def run(arguments: argparse.Namespace) -> int:
    """Fill between painted slices and write the labels."""
    from napari_medpatch.annotate.accept import accept
    from napari_medpatch.annotate.interpolate import interpolate
    from napari_medpatch.io.export import check_output

    with closing(open_one(arguments.path, arguments)) as source:
        labels = read_sparse_labels(arguments.labels, source, arguments.classes)
        check_apart(arguments.output, arguments.origins, labels=(arguments.labels,))
        for path in filter(None, (arguments.output, arguments.origins)):
            check_output(path, source)
        job = interpolate(source, labels, _settings(arguments))
        result = consume(job, "interpolate", quiet=arguments.quiet)
        _write(arguments, source, accept(labels, result.labels), result)
    _report(arguments, result)
    return 0


def _settings(arguments: argparse.Namespace) -> "InterpolateSettings":
    from napari_medpatch.annotate.interpolate import InterpolateSettings

    return InterpolateSettings(
        axis=_AXES[arguments.axis],
        method=arguments.method,
        classes=arguments.only,
        background=arguments.background,
        beyond=arguments.beyond,
        band_mm=arguments.band,
    )


def _write(
    arguments: argparse.Namespace, source: "Source", filled: "SparseLabels", result: "InterpolationResult"
) -> None:
    from napari_medpatch.annotate.origins import ORIGIN_NAMES, origin_counts
    from napari_medpatch.io.export import write_mask

    origins = filled.origins if filled.origins is not None else filled.labels > 0
    record = {**result.provenance, "voxels_by_origin": origin_counts(origins.astype("uint8"))}
    write_mask(filled.labels, source, arguments.output, class_names=filled.class_names, provenance=record)
    if arguments.origins is not None:
        write_mask(origins, source, arguments.origins, class_names=ORIGIN_NAMES, provenance=record)


def _report(arguments: argparse.Namespace, result: "InterpolationResult") -> None:
    record: dict[str, Any] = {
        "output": str(arguments.output),
        "voxels": dict(result.voxels),
        "seconds": round(result.seconds, 2),
        **result.provenance,
    }
    if arguments.json:
        print_json(record)
        return
    filled = ", ".join(f"{name} {count:,} voxels" for name, count in result.voxels.items())
    print_line(f"{len(result.slices)} {record['axis']} slices painted; filled between them: {filled}")
    print_line(f"wrote {arguments.output}")
