"""``napari-medpatch evaluate``."""

import argparse
from pathlib import Path

from napari_medpatch.cli.common import print_json, print_line


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the arguments."""
    parser.add_argument("prediction", type=Path, help="mask: 0 background, 1… classes")
    parser.add_argument("truth", type=Path, help="mask on the same grid")
    parser.add_argument(
        "--ignore",
        type=Path,
        metavar="LABELS",
        help="sparse labels; voxels painted there are left out of the score",
    )
    parser.add_argument("--json", action="store_true", help="machine-readable output")


def run(arguments: argparse.Namespace) -> int:
    """Compare two masks class by class."""
    from napari_medpatch.evaluate.segmentation import compare_files

    scores = compare_files(arguments.prediction, arguments.truth, ignore=arguments.ignore)
    if arguments.json:
        print_json(scores)
        return 0
    for name, metrics in scores["classes"].items():
        print_line(f"class {name}: " + ", ".join(f"{key} {_shown(value)}" for key, value in metrics.items()))
    return 0


def _shown(value: float | None) -> str:
    if value is None:
        return "undefined"
    return f"{value:.4f}" if isinstance(value, float) else str(value)
