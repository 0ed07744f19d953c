"""``napari-medpatch evaluate``."""

import argparse
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from napari_medpatch.cli.common import print_json, print_line
from napari_medpatch.cli.progress import consume

_SHOWN: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "scores": ("dice", "iou", "sensitivity", "specificity", "precision"),
        "distances": ("assd", "hd95", "hd", "surface_dice"),
        "sizes": ("predicted", "true", "difference", "volume", "area"),
        "inside": ("mean", "sd"),
        "objects": ("objects", "object"),
    }
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the arguments."""
    parser.add_argument("prediction", type=Path, help="mask: 0 background, 1… classes (NIfTI, NRRD, PNG, TIFF)")
    parser.add_argument(
        "truth", type=Path, nargs="?", help="mask on the same grid; without it, volumes and objects are measured"
    )
    parser.add_argument(
        "--image", type=Path, help="image of the masks: pixel size, background of pictures, values inside the mask"
    )
    parser.add_argument("--volume-index", type=int, metavar="N", help="which volume of a 4D image or series, from 0")
    parser.add_argument(
        "--ignore",
        type=Path,
        metavar="LABELS",
        help="sparse labels; voxels painted there are left out of the score",
    )
    parser.add_argument(
        "--sparse-truth",
        action="store_true",
        help="the truth is sparse labels (0 unlabelled, 1 background, 2… classes); unlabelled voxels are left out",
    )
    for side in ("prediction", "truth"):
        parser.add_argument(
            f"--map-{side}",
            metavar="A=B,…",
            default="",
            help=f"other values for classes of the {side}: 1=2,2=1 swaps two, all=1 makes one of all, 3=0 drops one",
        )
    _add_settings(parser)
    parser.add_argument(
        "--report", type=Path, metavar="DIR", help="write report.html with pictures, CSV tables and evaluation.json"
    )
    parser.add_argument("--json", action="store_true", help="machine-readable output")


def run(arguments: argparse.Namespace) -> int:
    """Compare two masks, or measure one."""
    from napari_medpatch.evaluate.class_map import ClassMap
    from napari_medpatch.evaluate.files import evaluate_files
    from napari_medpatch.evaluate.settings import EvaluationSettings

    job = evaluate_files(
        arguments.prediction,
        arguments.truth,
        image=arguments.image,
        volume_index=arguments.volume_index,
        ignore=arguments.ignore,
        sparse_truth=arguments.sparse_truth,
        prediction_map=ClassMap.parse(arguments.map_prediction),
        truth_map=ClassMap.parse(arguments.map_truth),
        settings=EvaluationSettings(
            tolerance=arguments.tolerance,
            surface=not arguments.no_surface,
            objects=not arguments.no_objects,
            connectivity=arguments.connectivity,
            min_iou=arguments.min_iou,
            min_object=arguments.min_object,
        ),
        report=arguments.report,
    )
    result = consume(job, "evaluate", quiet=arguments.quiet)
    if arguments.json:
        print_json(result.to_json())
    else:
        _print(result.class_rows())
        if arguments.report is not None:
            print_line(f"wrote {arguments.report / 'report.html'}")
    return 0


def _add_settings(parser: argparse.ArgumentParser) -> None:
    """Add what changes the numbers."""
    parser.add_argument(
        "--tolerance",
        type=float,
        metavar="MM",
        help="of the surface Dice, in mm for volumes (default 2), µm for slides (5), px if the size is unknown (2)",
    )
    parser.add_argument("--no-surface", action="store_true", help="no surface distances")
    parser.add_argument("--no-objects", action="store_true", help="do not compare connected objects")
    parser.add_argument(
        "--connectivity",
        choices=["face", "full"],
        default="face",
        help="pieces that touch by faces, or by corners too, are one object (default face)",
    )
    parser.add_argument(
        "--min-iou",
        type=float,
        default=0.0,
        metavar="X",
        help="IoU from which a predicted object counts as a true one (default: any overlap)",
    )
    parser.add_argument(
        "--min-object",
        type=float,
        default=0.0,
        metavar="SIZE",
        help="do not count smaller objects; ml for volumes, mm² for slides, px if the size is unknown",
    )


def _print(rows: list[dict[str, Any]]) -> None:
    """Print a few lines per class."""
    from napari_medpatch.evaluate.columns import heading, text

    if not rows:
        print_line("no class: every voxel is background")
    for row in rows:
        title = f"class {row['class']}" if row["class"] else "any class"
        name = row["name"] if row["class"] else ""
        remark = row.get("remark") or ""
        print_line(title + (f" ({name})" if name else "") + (f": {remark}" if remark else ""))
        for starts in _SHOWN.values():
            known = [key for key in row if key in starts or key.startswith(tuple(f"{start}_" for start in starts))]
            # Each column belongs to the first line that names it.
            line = ", ".join(f"{heading(key)} {text(key, row[key])}" for key in known if row[key] is not None)
            if line:
                print_line(f"  {line}")
