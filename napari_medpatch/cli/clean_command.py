"""``napari-medpatch clean``."""

import argparse
from pathlib import Path
from typing import Any

from napari_medpatch.cli.common import names, print_json, print_line
from napari_medpatch.cli.export_options import add_export_options, export_options
from napari_medpatch.cli.progress import consume


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the arguments."""
    parser.add_argument("path", type=Path, help="mask: 0 background, 1… classes (NIfTI, NRRD, DICOM-SEG, PNG, TIFF)")
    parser.add_argument("-o", "--output", required=True, type=Path, metavar="MASK", help="its suffix says the format")
    parser.add_argument(
        "--step", action="append", required=True, metavar="STEP", help=f"in the order given; {step_help()}"
    )
    parser.add_argument(
        "--like", type=Path, metavar="IMAGE", help="image of the mask: pixel size of pictures, values for the step hu"
    )
    parser.add_argument("--volume-index", type=int, metavar="N", help="which volume of a 4D image, from 0")
    parser.add_argument("--class-names", type=names, metavar="A,B", help="names of the values 1, 2, …")
    parser.add_argument("--json", action="store_true", help="print what each step changed as JSON")
    add_export_options(parser)


def run(arguments: argparse.Namespace) -> int:
    """Clean one mask."""
    from napari_medpatch.infer.clean.files import clean_file

    job = clean_file(
        arguments.path,
        arguments.output,
        arguments.step,
        like=arguments.like,
        class_names=arguments.class_names or (),
        volume_index=arguments.volume_index,
        options=export_options(arguments),
    )
    result = consume(job, "clean", quiet=arguments.quiet)
    report(arguments, result)
    return 0


def step_help() -> str:
    """Return the steps with an example each, for ``--help``."""
    from napari_medpatch.infer.clean.registry import STEPS

    examples = ", ".join(f"{keyword}:{kind.example}".rstrip(":") for keyword, kind in STEPS.items())
    return f"any of {examples}; of one class only with @name, such as largest:1@lung"


def report(arguments: argparse.Namespace, result: Any) -> None:
    """Print what was changed."""
    if arguments.json:
        files = [str(path) for path in result.files]
        own = {"output": files[0], "files": files, "seconds": round(result.seconds, 2)}
        print_json(own | result.provenance)
        return
    print_line(f"classes: {', '.join(result.class_names) or 'none'}")
    for path in result.files:
        print_line(f"wrote {path}")
