"""Options of commands that write masks, maps and volumes."""

import argparse
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari_medpatch.io.export_options import ExportOptions


def add_export_options(parser: argparse.ArgumentParser) -> None:
    """Add what there is to choose about a file besides its format."""
    # A window such as -1350,150 is a value, not an option; where argparse changes, --window=-1350,150 still works.
    parser._negative_number_matcher = re.compile(r"-[\d.]+(,-?[\d.]+)?$")
    group = parser.add_argument_group("volumes, by format")
    group.add_argument(
        "--per-class", action="store_true", help="a file per class, named after it: lungs-left.nii.gz, …"
    )
    group.add_argument(
        "--mesh-space",
        choices=["lps", "ras"],
        default="lps",
        help=".stl, .ply: world axes in mm; LPS as DICOM and 3D Slicer (default)",
    )
    group.add_argument(
        "--smooth", type=int, metavar="N", help=".stl, .ply: rounds of Taubin's smoothing; 0 keeps the voxels' steps"
    )
    group.add_argument(
        "--window",
        metavar="W",
        help="PNG slices of an image: lung, mediastinum, … or LOW,HIGH as 8 bit; without it 16 bit, every value kept",
    )
    group.add_argument(
        "--slice-axis",
        choices=["axial", "coronal", "sagittal"],
        default="axial",
        help="PNG slices: how they are cut (default axial)",
    )
    group.add_argument("--coloured", action="store_true", help="PNG slices of a mask: with the colours of the classes")
    group.add_argument(
        "--made-by",
        choices=["automatic", "semiautomatic", "manual"],
        help="DICOM-SEG: how the mask was made, where it does not say so itself",
    )


def export_options(arguments: argparse.Namespace) -> "ExportOptions":
    """Return what the arguments say."""
    from napari_medpatch.io.export_options import SMOOTHING_ROUNDS, ExportOptions, window_of

    return ExportOptions(
        per_class=arguments.per_class,
        mesh_space=arguments.mesh_space,
        smooth=SMOOTHING_ROUNDS if arguments.smooth is None else arguments.smooth,
        window=None if arguments.window is None else window_of(arguments.window),
        axis=["axial", "coronal", "sagittal"].index(arguments.slice_axis),
        coloured=arguments.coloured,
        made_by=arguments.made_by,
    )
