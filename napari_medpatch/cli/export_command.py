"""``napari-medpatch export``."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from napari_medpatch.cli.common import names, print_line
from napari_medpatch.cli.export_options import add_export_options, export_options
from napari_medpatch.cli.progress import consume

if TYPE_CHECKING:
    from napari_medpatch.models.bundle import Bundle


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the arguments."""
    parser.add_argument("path", type=Path, help="image, mask, map or score file; or a model's folder or name")
    parser.add_argument(
        "-o",
        "--output",
        required=True,
        type=Path,
        metavar="FILE",
        help="its suffix says the format, a name without one is a folder of PNG slices; of a model, a folder that "
        "WSInfer and QuPath can use",
    )
    parser.add_argument(
        "--like", type=Path, metavar="IMAGE", help="image whose grid and spacing a mask has; for DICOM-SEG, its series"
    )
    parser.add_argument(
        "--volume-index", type=int, metavar="N", help="which volume of a 4D file or series of a folder, from 0"
    )
    parser.add_argument("--weights", type=Path, metavar="FILE", help="safetensors file for the model timm:<name>")
    parser.add_argument("--class-names", type=names, metavar="A,B", help="class names for timm:<name>")
    parser.add_argument("--patch-size", type=int, metavar="PX", help="patch edge for timm:<name>")
    parser.add_argument("--spacing", type=float, metavar="UM", help="µm per pixel for timm:<name>")
    add_export_options(parser)


def run(arguments: argparse.Namespace) -> int:
    """Convert one file or model."""
    if _is_model(arguments.path):
        from napari_medpatch.models.wsinfer_export import export_bundle

        print_line(f"wrote {export_bundle(_model(arguments), arguments.output).path}")
        return 0
    from napari_medpatch.io.convert import exporting_path

    job = exporting_path(
        arguments.path,
        arguments.output,
        like=arguments.like,
        volume_index=arguments.volume_index,
        options=export_options(arguments),
    )
    for path in consume(job, "export", quiet=arguments.quiet).paths:
        print_line(f"wrote {path}")
    return 0


def _is_model(path: Path) -> bool:
    """Return whether a path is a bundle's folder, or the name of a model and no file."""
    from napari_medpatch.models.bundle import CONFIG_NAME
    from napari_medpatch.models.registry import TIMM_PREFIX, list_models
    from napari_medpatch.models.zoo import ZOO_PREFIX

    if path.exists():
        return (path / CONFIG_NAME).is_file()
    name = path.as_posix()
    return name.startswith((TIMM_PREFIX, ZOO_PREFIX)) or name in {bundle.card.name for bundle in list_models()}


def _model(arguments: argparse.Namespace) -> "Bundle":
    """Find the model, with what the command says about it."""
    from napari_medpatch.models.registry import resolve_model

    path: Path = arguments.path
    options = {
        "weights": arguments.weights,
        "class_names": arguments.class_names,
        "patch_size_pixels": arguments.patch_size,
        "spacing_um_px": arguments.spacing,
    }
    given = {key: value for key, value in options.items() if value is not None}
    return resolve_model(path if path.exists() else path.as_posix(), **given)
