"""``timm:<name>`` as a bundle that has no folder."""

from pathlib import Path
from typing import Any

from napari_medpatch.errors import BundleError
from napari_medpatch.models.bundle import Bundle
from napari_medpatch.models.card import ModelCard
from napari_medpatch.models.state_names import head_rows, match_names
from napari_medpatch.models.weights_file import read_shapes


def timm_bundle(
    architecture: str,
    *,
    weights: Path | None = None,
    class_names: tuple[str, ...] | None = None,
    num_classes: int | None = None,
    patch_size_pixels: int | None = None,
    spacing_um_px: float | None = None,
    pretrained: bool = False,
) -> Bundle:
    """Describe a timm network with weights of the user's, or of timm's.

    See :func:`napari_medpatch.models.registry.resolve_model` for the parameters and errors.
    """
    from napari_medpatch.models.classifiers import check_architecture

    check_architecture(architecture)
    facts = _pretrained_facts(architecture)
    if weights is None and not pretrained:
        raise BundleError(
            f"timm:{architecture} has no weights; give a safetensors file (--weights), or choose a bundle by name."
        )
    if weights is not None and not weights.is_file():
        raise BundleError(f"The weights file {weights} does not exist; give a safetensors file.")
    count = _count_classes(architecture, facts, weights, num_classes or (len(class_names) if class_names else None))
    names = class_names or tuple(f"class {index}" for index in range(count))
    if len(names) != count or num_classes not in (None, count):
        given = f"{len(names)} class names" if len(names) != count else f"{num_classes} were asked for"
        raise BundleError(f"timm:{architecture} has {count} outputs but {given}; give {count}.")
    card = ModelCard(
        name=f"timm:{architecture}",
        task="patch-classifier",
        architecture=architecture,
        class_names=names,
        patch_size_pixels=patch_size_pixels or facts["edge"],
        spacing_um_px=spacing_um_px,
        transform=_transform(facts),
    )
    return Bundle(weights or Path(f"timm:{architecture}"), card, weights=weights, pretrained=weights is None)


def _pretrained_facts(architecture: str) -> dict[str, Any]:
    """Return input edge, mean, std and head name that timm records for an architecture; no network."""
    import timm

    config = timm.get_pretrained_cfg(architecture, allow_unregistered=True)
    return {
        "edge": int(config.input_size[-1]) if config else 224,
        "mean": list(config.mean) if config else [0.5] * 3,
        "std": list(config.std) if config else [0.5] * 3,
        "head": config.classifier if config else None,
        "classes": int(config.num_classes) if config else 1000,
    }


def _transform(facts: dict[str, Any]) -> tuple[dict[str, Any], ...]:
    return (
        {"name": "Resize", "arguments": {"size": [facts["edge"], facts["edge"]]}},
        {"name": "ToTensor"},
        {"name": "Normalize", "arguments": {"mean": facts["mean"], "std": facts["std"]}},
    )


def _count_classes(architecture: str, facts: dict[str, Any], weights: Path | None, given: int | None) -> int:
    """Return the number of outputs: the width of the classification layer in the weights."""
    if weights is None:
        return given or int(facts["classes"])
    shapes = read_shapes(weights)
    heads = [facts["head"]] if isinstance(facts["head"], str) else list(facts["head"] or ())
    rows = next((count for head in heads if (count := head_rows(head, shapes)) is not None), None)
    if rows is None:
        rows = _rows_of_renamed_head(architecture, heads, shapes)
    if rows is None:
        named = f"no layer {heads[0]}" if heads else "no classification layer"
        raise BundleError(f"{weights} has {named}, so it does not hold {architecture}'s weights.")
    return rows


def _rows_of_renamed_head(architecture: str, heads: list[str], shapes: dict[str, tuple[int, ...]]) -> int | None:
    """Return the outputs of a classification layer that the file gives another name."""
    from napari_medpatch.models.classifiers import build_classifier

    wanted = list(build_classifier(architecture, 2).state_dict())
    theirs = {new: old for old, new in match_names(wanted, shapes).items()}
    found = [theirs[f"{head}.weight"] for head in heads if f"{head}.weight" in theirs]
    return shapes[found[0]][0] if found else None
