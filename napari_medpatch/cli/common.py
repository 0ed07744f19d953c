"""Arguments and small steps that several commands share."""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari_medpatch.io.source import Source
    from napari_medpatch.models.bundle import Bundle


_PATIENCE_SECONDS = 1.0
"""A bar for every small file would be noise."""


def add_source_options(parser: argparse.ArgumentParser) -> None:
    """Add what a file may not say about itself."""
    parser.add_argument(
        "--mpp", type=_mpp, metavar="X[,Y]", help="size of a level-0 pixel in µm, for files that do not say"
    )
    parser.add_argument(
        "--volume-index", type=int, metavar="N", help="which volume of a 4D file or DICOM series of a folder, from 0"
    )


def add_device_options(parser: argparse.ArgumentParser) -> None:
    """Add where and how a model runs."""
    parser.add_argument(
        "--device",
        default="auto",
        help="auto, cpu, mps, cuda, cuda:1; several GPUs: cuda:0,cuda:1 or cuda:all (default auto)",
    )
    parser.add_argument(
        "--precision",
        default="auto",
        choices=["auto", "float32", "bfloat16", "fast"],
        help="fast: bfloat16 where a short trial finds it faster (default auto)",
    )


def add_model_options(parser: argparse.ArgumentParser) -> None:
    """Add the choice of a model."""
    parser.add_argument(
        "--model",
        "-m",
        required=True,
        metavar="M",
        help="name from 'models', a bundle folder, zoo:<name>, owner/repo or timm:<name>",
    )
    parser.add_argument(
        "--download", action="store_true", help="fetch a model of the zoo or the Hugging Face hub that is not here yet"
    )
    parser.add_argument("--weights", type=Path, metavar="FILE", help="safetensors file for timm:<name>")
    parser.add_argument("--class-names", type=names, metavar="A,B", help="class names for timm:<name>")
    parser.add_argument("--patch-size", type=int, metavar="PX", help="patch edge for timm:<name>")
    parser.add_argument("--spacing", type=float, metavar="UM", help="µm per pixel for timm:<name>")


def open_one(path: str, arguments: argparse.Namespace) -> "Source":
    """Open a path with the command's source options; a bar appears if that takes long, and what there is to note."""
    from napari_medpatch.cli.progress import consume
    from napari_medpatch.io.detect import open_steps

    job = open_steps(path, mpp=arguments.mpp, volume_index=arguments.volume_index)
    source: Source = consume(job, "open", quiet=arguments.quiet, patience=_PATIENCE_SECONDS)
    if source.kind == "volume":
        for note in source.metadata.get("notes", ()):
            sys.stderr.write(f"{source.path.name}: {note}\n")
    return source


def resolve(arguments: argparse.Namespace) -> "Bundle":
    """Find the model that the command names."""
    from napari_medpatch.models.registry import resolve_model

    options = {
        "weights": arguments.weights,
        "class_names": arguments.class_names,
        "patch_size_pixels": arguments.patch_size,
        "spacing_um_px": arguments.spacing,
    }
    if arguments.download:
        _fetch(arguments.model, quiet=arguments.quiet)
    return resolve_model(arguments.model, **{k: v for k, v in options.items() if v is not None})


def _fetch(model: str, *, quiet: bool) -> None:
    """Download a model if it is one of the zoo or the hub and not here yet."""
    from napari_medpatch.cli.models_command import download_with_bar
    from napari_medpatch.errors import BundleError
    from napari_medpatch.models.registry import resolve_model
    from napari_medpatch.models.zoo import is_zoo_name

    if not is_zoo_name(model):
        return
    try:
        resolve_model(model)
    except BundleError:
        download_with_bar(model, quiet=quiet)


def check_apart(*outputs: Path | None, labels: Sequence[Path | str | None] = ()) -> None:
    """Raise :class:`OutputError` if two outputs have one name, or one would replace labels that were given."""
    from napari_medpatch.errors import OutputError

    wanted = [path.resolve() for path in outputs if path is not None]
    given = [Path(path).resolve() for path in labels if path is not None]
    for index, path in enumerate(wanted):
        if path in wanted[:index]:
            raise OutputError(f"Two outputs are called {path.name}, and one would replace the other; name them apart.")
        if path in given:
            raise OutputError(f"{path.name} was not written: it holds the labels; give another name.")


def print_json(value: Any) -> None:
    """Write a value as JSON to stdout."""
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False, default=_plain) + "\n")


def print_line(line: str = "") -> None:
    """Write a line to stdout."""
    sys.stdout.write(line + "\n")


def _plain(value: Any) -> Any:
    """Turn paths, tuples and NumPy scalars into JSON."""
    if isinstance(value, Path):
        return str(value)
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} is not JSON")


def names(text: str) -> tuple[str, ...]:
    """Read ``A,B,C`` into names."""
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _mpp(text: str) -> tuple[float, float]:
    """Read ``X`` or ``X,Y`` and return ``(y, x)``."""
    try:
        values = [float(part) for part in text.split(",")]
    except ValueError:
        values = []
    if len(values) not in (1, 2) or not all(0 < value < 1e4 for value in values):
        raise argparse.ArgumentTypeError(f"{text!r} is not a pixel size in µm such as 0.25 or 0.25,0.25")
    return values[-1], values[0]
