"""``timm:<name>`` as a bundle that has no folder."""

from pathlib import Path
from typing import Any

from napari_medpatch.errors import BundleError
from napari_medpatch.models.bundle import Bundle
from napari_medpatch.models.card import ModelCard
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
    count = num_classes or _count_classes(architecture, facts, weights, class_names)
    names = class_names or tuple(f"class {index}" for index in range(count))
    if len(names) != count:
        raise BundleError(f"timm:{architecture} has {count} outputs but {len(names)} class names; give {count}.")
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


def _count_classes(
    architecture: str, facts: dict[str, Any], weights: Path | None, class_names: tuple[str, ...] | None
) -> int:
    """Return the number of outputs: the width of the head's bias in the weights."""
    if weights is None:
        return len(class_names) if class_names else int(facts["classes"])
    shape = read_shapes(weights).get(f"{facts['head']}.bias")
    if shape is None:
        raise BundleError(f"{weights} has no {facts['head']}.bias, so it does not hold {architecture}'s weights.")
    return shape[0]
