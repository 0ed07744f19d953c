"""Write any patch classifier as a bundle that WSInfer and QuPath run.

They know ``config.json`` of the zoo's format, spec version 1.0, and a TorchScript file; WSInfer takes
softmax of several logits and sigmoid of one, QuPath softmax of any number.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_medpatch.errors import BundleError
from napari_medpatch.io.atomic import atomic_folder
from napari_medpatch.models.bundle import CONFIG_NAME, README_NAME, Bundle, check_bundle_folder
from napari_medpatch.models.card import ModelCard
from napari_medpatch.models.torchscript import (
    TORCHSCRIPT_NAME,
    example_shape,
    load_torchscript,
    quiet_torchscript,
    traced_bytes,
)

if TYPE_CHECKING:
    import torch
    from torch import nn

_BATCHES = (1, 2, 5)
_TOLERANCE = 1e-4
_ARGUMENTS = {"Resize": ("size",), "ToTensor": (), "Normalize": ("mean", "std")}
_NOTE = """
## In WSInfer and QuPath

Written by napari_medpatch for runtimes of the WSInfer model zoo: `torchscript_model.pt` takes patches of
{patch} pixels at {spacing:g} µm per pixel after the steps of `transform` and gives one logit per class
({classes}).{remark}
"""
_REMARKS = {
    "slide-mil": " It is the patch classifier of a multiple-instance model; the attention, and with it the slide's "
    "score, is left out.",
    "one logit": " The model has one logit; here its complement is a class of its own, because QuPath takes softmax.",
}


def export_bundle(bundle: Bundle, folder: str | os.PathLike[str]) -> Bundle:
    """Write a classifier as TorchScript with the WSInfer zoo's ``config.json``.

    The file is traced with one example, read back and compared with the original at several batch sizes
    before the folder appears. A model with one logit is written with two classes, the first of which is its
    complement; of a multiple-instance model the patch classifier is written. Weights are float32.

    Parameters
    ----------
    bundle : Bundle
        A patch classifier or multiple-instance model for colour images, of whatever origin.
    folder : path-like
        Where; a model that is there is replaced. Its name becomes the model's.

    Returns
    -------
    Bundle
        The folder as a bundle.

    Raises
    ------
    BundleError
        If the model is no classifier, does not say at which pixel size it looks, or cannot be traced; or if
        the folder holds anything but a model.
    OutputError
        If the folder cannot be written.
    """
    target = Path(folder)
    _refuse_what_cannot_run(bundle.card)
    _refuse_to_replace(bundle, target)
    network = exported_network(bundle)
    card = _exported_card(bundle.card, target.resolve().name)
    with atomic_folder(target) as temporary:
        shape = example_shape(bundle.card)
        (temporary / TORCHSCRIPT_NAME).write_bytes(traced_bytes(network, shape, bundle.card.name))
        _check_equal(network, load_torchscript(temporary), shape, bundle.card.name)
        config = json.dumps(card.to_config(), indent=2, ensure_ascii=False, allow_nan=False)
        (temporary / CONFIG_NAME).write_text(config + "\n", encoding="utf-8")
        (temporary / README_NAME).write_text(_readme(bundle, card), encoding="utf-8")
    return Bundle(target, card)


def exported_network(bundle: Bundle) -> "nn.Module":
    """Load a classifier on the CPU as the network that is exported: at least two logits, one per class."""
    from napari_medpatch.models.wsinfer_layers import FirstColumns, TwoClasses

    network = bundle.load("cpu")
    if bundle.card.task == "slide-mil":
        network = FirstColumns(network, bundle.card.num_classes).eval()
    if bundle.card.num_classes == 1:
        network = TwoClasses(network).eval()
    return network


def exported_class_names(class_names: tuple[str, ...]) -> tuple[str, ...]:
    """Return the class names of an exported model: a single one gets its complement before it."""
    if len(class_names) > 1:
        return class_names
    return ("Other" if class_names[0].lower() != "other" else "Rest", *class_names)


def _refuse_what_cannot_run(card: ModelCard) -> None:
    if card.task not in ("patch-classifier", "slide-mil"):
        raise BundleError(
            f"{card.name} is a {card.task} model; WSInfer and QuPath run patch classifiers, so only those are exported."
        )
    if not card.patch_size_pixels or not card.spacing_um_px:
        raise BundleError(
            f"{card.name} does not say at which pixel size it looks, which WSInfer and QuPath need; "
            "give --spacing, in µm per pixel."
        )
    if card.in_channels != 3:
        raise BundleError(f"{card.name} takes {card.in_channels} channels; WSInfer and QuPath give it three.")


def _refuse_to_replace(bundle: Bundle, target: Path) -> None:
    """Refuse a folder whose replacement would destroy the model itself or anything that is no model."""
    if bundle.weights is None and target.resolve() == bundle.path.resolve():
        raise BundleError(f"{target} is the folder of {bundle.card.name} itself; choose another to export it to.")
    check_bundle_folder(target)


def _exported_card(card: ModelCard, name: str) -> ModelCard:
    """Describe the exported model: TorchScript alone defines it."""
    origin = {"exported_from": card.name, "weights_sha256": card.weights_sha256, **card.origin}
    return replace(
        card,
        name=name,
        task="patch-classifier",
        class_names=exported_class_names(card.class_names),
        patch_size_pixels=round(card.patch_size_pixels or 0),
        transform=_plain_transform(card.transform, round(card.patch_size_pixels or 0)),
        network={},
        weights_sha256=None,
        origin=origin,
    )


def _plain_transform(transform: tuple[Mapping[str, Any], ...], edge: int) -> tuple[Mapping[str, Any], ...]:
    """Return the steps as WSInfer's schema has them: bilinear is what it does, and pixels become a tensor.

    Without a Resize, WSInfer would give the network as many pixels as a patch has at level 0 of the slide.
    """
    steps: list[Mapping[str, Any]] = []
    for step in transform:
        name, given = str(step["name"]), dict(step.get("arguments") or {})
        arguments = {key: given[key] for key in _ARGUMENTS.get(name, ()) if key in given}
        steps.append({"name": name, "arguments": arguments} if arguments else {"name": name})
    if not any(step["name"] == "Resize" for step in steps):
        steps.insert(0, {"name": "Resize", "arguments": {"size": edge}})
    names = [step["name"] for step in steps]
    if "ToTensor" not in names:
        # Resize works on the picture, Normalize on the tensor.
        steps.insert(names.index("Normalize") if "Normalize" in names else len(steps), {"name": "ToTensor"})
    return tuple(steps)


def _check_equal(network: "nn.Module", exported: "nn.Module", shape: tuple[int, ...], name: str) -> None:
    """Refuse a file that gives other probabilities than the model, for any number of patches."""
    import torch

    generator = torch.Generator().manual_seed(1)
    for count in _BATCHES:
        batch = torch.randn((count, *shape[1:]), generator=generator)
        difference = _largest_difference(network, exported, batch)
        if not difference <= _TOLERANCE:
            raise BundleError(
                f"{name} cannot be exported: as TorchScript it differs from the original by {difference:.2g} for "
                f"{count} patches at once; use another architecture."
            )


def _largest_difference(network: "nn.Module", exported: "nn.Module", batch: "torch.Tensor") -> float:
    """Return the largest difference of probabilities, infinity if one of both fails or has other columns."""
    import torch

    with torch.inference_mode(), quiet_torchscript():
        expected = network(batch).softmax(dim=1)
        try:
            found = exported(batch).softmax(dim=1)
        except RuntimeError:
            return float("inf")
    return float((expected - found).abs().max()) if expected.shape == found.shape else float("inf")


def _readme(bundle: Bundle, card: ModelCard) -> str:
    """Return the model's own README, or one made from its card, and how to run what was exported."""
    from napari_medpatch.models.model_readme import readme_of

    own = bundle.path / README_NAME
    text = own.read_text(encoding="utf-8") if own.is_file() else readme_of(card)
    remark = _REMARKS["slide-mil"] if bundle.card.task == "slide-mil" else ""
    remark += _REMARKS["one logit"] if bundle.card.num_classes == 1 else ""
    facts = {"patch": card.patch_size_pixels, "spacing": card.spacing_um_px, "classes": ", ".join(card.class_names)}
    return text.rstrip() + "\n" + _NOTE.format(**facts, remark=remark)
