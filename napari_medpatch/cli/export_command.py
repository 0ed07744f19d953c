"""``napari-medpatch export``."""

import argparse
from pathlib import Path

from napari_medpatch.cli.common import print_line


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the arguments."""
    parser.add_argument("path", type=Path, help="image, mask, map or score file")
    parser.add_argument("-o", "--output", required=True, type=Path, metavar="FILE", help="its suffix says the format")
    parser.add_argument("--like", type=Path, metavar="IMAGE", help="image whose grid and spacing a mask has")
    parser.add_argument("--volume-index", type=int, metavar="N", help="which volume of a 4D file, from 0")


def run(arguments: argparse.Namespace) -> int:
    """Convert one file."""
    from napari_medpatch.io.export import export_path

    written = export_path(arguments.path, arguments.output, like=arguments.like, volume_index=arguments.volume_index)
    print_line(f"wrote {written or arguments.output}")
    return 0
