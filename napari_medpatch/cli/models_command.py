"""``napari-medpatch models``."""

import argparse
from typing import TYPE_CHECKING, Any

from napari_medpatch.cli.common import print_json, print_line

if TYPE_CHECKING:
    from napari_medpatch.models.bundle import Bundle


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the arguments."""
    parser.add_argument("--json", action="store_true", help="machine-readable output")


def run(arguments: argparse.Namespace) -> int:
    """List the models that jobs accept by name."""
    from napari_medpatch.models.registry import list_models

    rows = [model_row(bundle) for bundle in list_models()]
    if arguments.json:
        print_json(rows)
        return 0
    width = max((len(row["name"]) for row in rows), default=4)
    for row in rows:
        print_line(f"{row['name']:<{width}}  {row['task']:<16}  {', '.join(row['classes'])}  ({row['licence']})")
    print_line("Also: a bundle folder, or timm:<name> with --weights.")
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
    }
