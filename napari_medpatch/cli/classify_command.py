"""``napari-medpatch classify``."""

import argparse
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_medpatch.cli.common import (
    add_device_options,
    add_model_options,
    add_source_options,
    open_one,
    print_json,
    print_line,
    resolve,
)
from napari_medpatch.cli.progress import consume
from napari_medpatch.errors import MedPatchError

if TYPE_CHECKING:
    from napari_medpatch.models.bundle import Bundle


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the arguments."""
    parser.add_argument("paths", nargs="+", metavar="PATH", help="slides, photographs, or folders of patches")
    add_model_options(parser)
    parser.add_argument("-o", "--output", required=True, type=Path, metavar="DIR", help="folder of the results")
    parser.add_argument(
        "--overlap", type=float, default=0.0, help="of neighbouring patches, below 1; negative leaves gaps"
    )
    parser.add_argument("--batch-size", type=int, default=0, help="default: from free memory")
    parser.add_argument("--exact", action="store_true", help="WSInfer's path: level 0, PIL resize")
    parser.add_argument("--no-resume", action="store_true", help="score patches again that an earlier run finished")
    parser.add_argument("--json", action="store_true", help="print the run records")
    add_source_options(parser)
    add_device_options(parser)


def run(arguments: argparse.Namespace) -> int:
    """Classify each path; goes on after a bad one and says so at the end."""
    bundle = resolve(arguments)
    records, failures = [], []
    for path in arguments.paths:
        try:
            records.append(_one(path, bundle, arguments))
        except MedPatchError as error:
            if len(arguments.paths) == 1:
                raise
            failures.append(path)
            sys.stderr.write(f"napari-medpatch: {path}: {error}\n")
    if arguments.json:
        print_json(records)
    else:
        for line in _lines(records):
            print_line(line)
    if failures:
        sys.stderr.write(f"napari-medpatch: {len(failures)} of {len(arguments.paths)} failed\n")
    return 2 if failures else 0


def _one(path: str, bundle: "Bundle", arguments: argparse.Namespace) -> dict[str, Any]:
    if Path(path).is_dir() and not _is_dicom_slide(path):
        return _folder(path, bundle, arguments)
    from napari_medpatch.infer.classify import classify

    with closing(open_one(path, arguments)) as source:
        job = classify(source, bundle, _settings(arguments), out=arguments.output)
        result = consume(job, Path(path).name, quiet=arguments.quiet)
    return {"path": path, "score": result.score, "files": [str(f) for f in result.files], **result.provenance}


def _folder(path: str, bundle: "Bundle", arguments: argparse.Namespace) -> dict[str, Any]:
    from napari_medpatch.infer.classify_folder import classify_folder

    job = classify_folder(Path(path), bundle, _settings(arguments), out=arguments.output)
    result = consume(job, Path(path).name, quiet=arguments.quiet)
    return {"path": path, "files": [str(f) for f in result.files]}


def _is_dicom_slide(path: str) -> bool:
    from napari_medpatch.io.detect import detect

    try:
        return detect(path).kind == "slide"
    except MedPatchError:
        return False


def _settings(arguments: argparse.Namespace) -> Any:
    from napari_medpatch.infer.classify import ClassifySettings

    return ClassifySettings(
        device=arguments.device,
        precision=arguments.precision,
        batch_size=arguments.batch_size,
        overlap=arguments.overlap,
        exact=arguments.exact,
        resume=not arguments.no_resume,
    )


def _lines(records: list[dict[str, Any]]) -> Iterator[str]:
    for record in records:
        for file in record["files"]:
            yield f"wrote {file}"
