"""A model card in Markdown from the facts in ``config.json``."""

from collections.abc import Mapping
from typing import Any

from napari_medpatch.models.card import ModelCard

_TASKS = {
    "patch-classifier": "classifies patches of slides or photographs",
    "slide-mil": "scores whole slides from their patches",
    "segment-2d": "segments images, or volumes slice by slice",
    "segment-3d": "segments volumes",
}
_EXAMPLE = """```python
from napari_medpatch import load_bundle

model = load_bundle("{name}").load()
```"""


def readme_of(card: ModelCard) -> str:
    """Return the text of ``README.md`` for a bundle that comes without one.

    Parameters
    ----------
    card : ModelCard
        Every fact comes from here; nothing is claimed that it does not hold.
    """
    parts = [
        f"# {card.name}",
        f"This model {_TASKS[card.task]}: {', '.join(card.class_names)}.",
        _table("Input", _input(card)),
        _table("Training", card.training),
        _table("Scores", card.metrics),
        f"## Licence\n\n{card.licence}",
        f"## Cite\n\n{card.citation}" if card.citation else "",
        "## Limits\n\nNot a medical device. Trained on what the table above says; elsewhere its output is unchecked.",
        f"## Use\n\n{_EXAMPLE.format(name=card.name)}",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _input(card: ModelCard) -> dict[str, Any]:
    """Return what the network looks at."""
    facts: dict[str, Any] = {"architecture": card.architecture, "channels": card.in_channels}
    if card.patch_size_pixels:
        facts["patch"] = f"{card.patch_size_pixels} px at {card.spacing_um_px or '?'} µm/px"
    if card.spacing:
        facts["working resolution"] = " × ".join(f"{v:g}" for v in card.spacing) + f" {card.spacing_unit or ''}"
    return facts | dict(card.intensity)


def _table(title: str, facts: Mapping[str, Any]) -> str:
    """Return a heading and a two-column table, "" without facts."""
    rows = [f"| {key} | {value} |" for key, value in facts.items()]
    return "\n".join([f"## {title}", "", "| | |", "|---|---|", *rows]) if rows else ""
