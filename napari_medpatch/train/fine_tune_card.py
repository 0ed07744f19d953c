"""The model card of a fine-tuned model: what is known before training, and the record of it."""

from typing import TYPE_CHECKING, Any

from napari_medpatch.annotate.sparse import SparseLabels
from napari_medpatch.infer.precision import Precision
from napari_medpatch.io.source import Source
from napari_medpatch.models.card import ModelCard
from napari_medpatch.train.choose import Recipe
from napari_medpatch.train.starting_point import network_shape

if TYPE_CHECKING:
    from napari_medpatch.models.bundle import Bundle

# Given by task and classes; a card that repeats them could contradict itself.
_IMPLIED = {"dimensions", "in_channels", "num_classes"}


def first_card(
    source: Source, labels: SparseLabels, base: "Bundle | None", *, name: str, precision: Precision, device: str
) -> ModelCard:
    """Return task, classes and network of the model to be; the base's network if there is one.

    Parameters
    ----------
    source : Source
        The image.
    labels : SparseLabels
        Bring the classes.
    base : Bundle or None
        Model to begin with.
    name : str
        Of the bundle.
    precision, device : str
        Decide how large a new network may be.
    """
    dimensions = 3 if source.kind == "volume" else 2
    given = base.card if base is not None else None
    shape = given.network if given else network_shape(dimensions, precision, device)
    return ModelCard(
        name=name,
        task="segment-3d" if dimensions == 3 else "segment-2d",
        architecture="unet",
        class_names=labels.class_names,
        in_channels=given.in_channels if given else 1 if dimensions == 3 else 3,
        network={key: value for key, value in shape.items() if key not in _IMPLIED},
        licence=given.licence if given else "unknown",
        citation=given.citation if given else "",
    )


def training_record(
    source: Source,
    labels: SparseLabels,
    base: "Bundle | None",
    *,
    card: ModelCard,
    recipe: Recipe | None,
    **facts: Any,
) -> dict[str, Any]:
    """Return the provenance of model and mask, JSON-serialisable.

    Parameters
    ----------
    source, labels, base
        What was trained on, and from.
    card : ModelCard
        With the working resolution.
    recipe : Recipe or None
        How the training-free estimate was made.
    **facts
        Further entries: steps, seconds, seed, device, precision, network_share.
    """
    estimate = None
    if recipe is not None:
        names = ("texture", "carry", "anchored", "walked")
        estimate = {name: getattr(recipe, name) for name in names}
    return {
        "job": "finetune",
        "model": card.name,
        "method": "fine-tuned from sparse labels",
        "image": source.path.name,
        "value_unit": source.metadata.get("value_unit"),
        "labelled": {name: round(share, 6) for name, share in labels.fractions().items()},
        "base": base.card.name if base is not None else None,
        "working_spacing": list(card.spacing) if card.spacing else None,
        "working_spacing_unit": card.spacing_unit,
        "estimate": estimate,
        **facts,
    }
