"""Options of ``classify`` and the settings they make."""

import argparse
import math
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from napari_medpatch.errors import SettingsError

if TYPE_CHECKING:
    from napari_medpatch.infer.classify_result import ClassifySettings


def add_patch_options(parser: argparse.ArgumentParser) -> None:
    """Add where patches are taken."""
    group = parser.add_argument_group("patches")
    group.add_argument(
        "--overlap", type=float, default=0.0, help="of neighbouring patches, below 1; negative leaves gaps"
    )
    group.add_argument("--stride", type=float, metavar="UM", help="µm from patch to patch, instead of --overlap")
    group.add_argument("--min-tissue", type=float, metavar="F", help="take patches with at least this share of tissue")
    group.add_argument(
        "--tiling", default="wsinfer", metavar="NAME", help="rule of tiling: wsinfer (default), wsinfer-full, strip"
    )
    group.add_argument(
        "--roi", type=Path, metavar="FILE", help="GeoJSON of where to look; a folder of <stem>.geojson for many slides"
    )
    group.add_argument(
        "--tissue", type=Path, metavar="MASK", help="image of where tissue is; a folder of <stem>.png for many slides"
    )


def add_score_options(parser: argparse.ArgumentParser) -> None:
    """Add how patches are scored and what is written."""
    group = parser.add_argument_group("scores")
    group.add_argument("--exact", action="store_true", help="WSInfer's path: level 0, PIL resize")
    group.add_argument(
        "--tta", type=int, default=0, metavar="N", help="average N random views of each patch with the plain one"
    )
    group.add_argument("--mc-dropout", type=int, default=0, metavar="N", help="average N passes with random dropout")
    group.add_argument("--seed", type=int, default=0, help="of random views and dropout")
    group.add_argument("--top-k", type=int, default=10, metavar="N", help="patches in the slide's top-k mean")
    group.add_argument("--gzip", action="store_true", help="write <stem>.geojson.gz")
    group.add_argument("--batch-size", type=int, default=0, help="default: from free memory")
    group.add_argument("--no-resume", action="store_true", help="score patches again that an earlier run finished")


def settings_of(arguments: argparse.Namespace) -> "ClassifySettings":
    """Return the settings.

    Raises
    ------
    SettingsError
        If a value is impossible; names the option.
    """
    from napari_medpatch.infer.classify_result import ClassifySettings

    for complaint in _complaints(arguments):
        raise SettingsError(complaint)
    return ClassifySettings(
        device=arguments.device,
        precision=arguments.precision,
        batch_size=arguments.batch_size,
        overlap=arguments.overlap,
        stride_um=arguments.stride,
        min_tissue=arguments.min_tissue,
        tiling=arguments.tiling,
        exact=arguments.exact,
        tta=arguments.tta,
        mc_dropout=arguments.mc_dropout,
        seed=arguments.seed,
        top_k=arguments.top_k,
        compress=arguments.gzip,
        resume=not arguments.no_resume,
    )


def _complaints(arguments: argparse.Namespace) -> Iterator[str]:
    if not (math.isfinite(arguments.overlap) and arguments.overlap < 1):
        yield f"--overlap {arguments.overlap} is impossible; give a number below 1, or a negative one for gaps."
    if arguments.stride is not None:
        if not 0 < arguments.stride < 1e6:
            yield f"--stride {arguments.stride} is impossible; give the µm from patch to patch, such as 88."
        if arguments.overlap:
            yield "--stride and --overlap say the same in two ways; give one of them."
    if arguments.min_tissue is not None and not 0 <= arguments.min_tissue <= 1:
        yield f"--min-tissue {arguments.min_tissue} is impossible; give a share from 0 to 1."
    for name, lowest in (("tta", 0), ("mc_dropout", 0), ("seed", 0), ("batch_size", 0), ("top_k", 1)):
        if getattr(arguments, name) < lowest:
            option = name.replace("_", "-")
            yield f"--{option} {getattr(arguments, name)} is impossible; give {lowest} or more."
