"""``napari-medpatch models``."""

import argparse
import logging
from typing import TYPE_CHECKING, Any

from napari_medpatch.cli.common import print_json, print_line
from napari_medpatch.cli.progress import consume

if TYPE_CHECKING:
    from napari_medpatch.models.bundle import Bundle
    from napari_medpatch.models.zoo_list import ZooModel


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the arguments."""
    parser.add_argument("--json", action="store_true", help="machine-readable output")
    parser.add_argument(
        "--zoo", action="store_true", help="list the WSInfer model zoo; with --download, its registry of today"
    )
    parser.add_argument(
        "--download",
        nargs="?",
        const="",
        metavar="NAME",
        help="fetch zoo:<name> or owner/repo[@revision] from the Hugging Face hub; the only option that uses a network",
    )


def run(arguments: argparse.Namespace) -> int:
    """List the models that jobs accept by name, or fetch one."""
    if arguments.download or (arguments.download is not None and not arguments.zoo):
        return _download(arguments)
    if arguments.zoo:
        return _list_zoo(arguments)
    from napari_medpatch.models.registry import list_models

    rows = [model_row(bundle) for bundle in list_models()]
    if arguments.json:
        print_json(rows)
        return 0
    width = max((len(row["name"]) for row in rows), default=4)
    for row in rows:
        print_line(f"{row['name']:<{width}}  {row['task']:<16}  {', '.join(row['classes'])}  ({row['licence']})")
    print_line("Also: a bundle folder, timm:<name> with --weights, or the published models that --zoo lists.")
    return 0


def download_with_bar(name: str, *, quiet: bool = False) -> "Bundle":
    """Fetch a model of the zoo or the hub, with a bar; see :func:`napari_medpatch.models.zoo.download_model`."""
    from napari_medpatch.models.zoo import download_model

    bundle: Bundle = consume(download_model(name), name, quiet=quiet)
    return bundle


def _download(arguments: argparse.Namespace) -> int:
    from napari_medpatch.errors import BundleError

    if not arguments.download:
        raise BundleError("--download needs the name of a model, such as zoo:<name>; --zoo lists them.")
    bundle = download_with_bar(arguments.download, quiet=arguments.quiet)
    if arguments.json:
        print_json(model_row(bundle))
    else:
        print_line(f"{arguments.download} is ready: {', '.join(bundle.card.class_names)} ({bundle.card.licence})")
    return 0


def _list_zoo(arguments: argparse.Namespace) -> int:
    from napari_medpatch.models.zoo_list import list_zoo

    # The library's own warnings would stand before our sentence.
    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)
    rows = [zoo_row(model) for model in list_zoo(download=arguments.download is not None)]
    if arguments.json:
        print_json(rows)
        return 0
    width = max(len(row["name"]) for row in rows)
    for row in rows:
        state = "here" if row["cached"] else "    "
        print_line(f"{row['name']:<{width}}  {state}  {row['description']}: {', '.join(row['classes']) or '?'}")
    print_line("Fetch one with --download NAME; jobs take it as --model NAME. Its authors' code runs in torch.")
    return 0


def model_row(bundle: "Bundle") -> dict[str, Any]:
    """Return what ``models --json`` says of one bundle."""
    card = bundle.card
    spacing = list(card.spacing) if card.spacing is not None else card.spacing_um_px
    unit = card.spacing_unit if card.spacing is not None else "um"
    return {
        "name": card.name,
        "task": card.task,
        "classes": list(card.class_names),
        "spacing": spacing,
        "spacing_unit": unit,
        "licence": card.licence,
        "path": str(bundle.path),
        "architecture": card.architecture,
        "metrics": dict(card.metrics),
        "origin": dict(card.origin),
    }


def zoo_row(model: "ZooModel") -> dict[str, Any]:
    """Return what ``models --zoo --json`` says of one model."""
    return {
        "name": f"zoo:{model.name}",
        "task": "patch-classifier",
        "description": model.description,
        "classes": list(model.class_names),
        "patch_size_pixels": model.patch_size_pixels,
        "spacing": model.spacing_um_px,
        "spacing_unit": "um",
        "repo": model.hub.repo,
        "revision": model.hub.revision,
        "cached": model.cached,
    }
