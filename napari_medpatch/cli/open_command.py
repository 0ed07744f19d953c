"""``napari-medpatch open``."""

import argparse

from napari_medpatch.cli.common import add_source_options


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the arguments."""
    parser.add_argument("paths", nargs="*", metavar="PATH", help="slides, photographs, volumes, DICOM folders")
    add_source_options(parser)


def run(arguments: argparse.Namespace) -> int:
    """Open napari with one layer per file and the MedPatch panel; returns when the window is closed."""
    from napari_medpatch.io.detect import detect
    from napari_medpatch.plugin.launch import launch

    for path in arguments.paths:
        detect(path)  # refuse bad files before a window appears
    launch(arguments.paths, mpp=arguments.mpp, volume_index=arguments.volume_index)
    return 0
