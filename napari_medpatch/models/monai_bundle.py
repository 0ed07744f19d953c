"""A MONAI bundle's description of itself, turned into a model card where that is safe.

``configs/metadata.json`` says what goes in and comes out, ``configs/inference.json`` how images are prepared,
cut and decided. Whatever alters pixels must have a counterpart here, else the bundle is refused with a
sentence; a short ``config.json`` of ours in the folder then says what could not be derived.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from napari_medpatch.errors import BundleError
from napari_medpatch.models.axes import OWN_AXES, axis_moves
from napari_medpatch.models.card import ModelCard, short_card
from napari_medpatch.models.monai_config import INFERENCE, METADATA, literal, read_monai_json, steps, target
from napari_medpatch.models.monai_intensity import HARMLESS, INTENSITIES

MONAI_WEIGHTS = "models/model.pt"
MONAI_SCRIPT = "models/model.ts"
NETWORKS = (
    "AttentionUnet", "BasicUNet", "BasicUNetPlusPlus", "DynUNet", "FlexibleUNet", "HighResNet", "SegResNet",
    "SegResNetDS", "SegResNetVAE", "SwinUNETR", "UNETR", "UNet", "VNet",
)  # fmt: skip
"""Classes of ``monai.networks.nets`` that are built by name; no other class is."""


def is_monai_bundle(folder: Path) -> bool:
    """Return whether a folder has the layout of a MONAI bundle."""
    return (folder / METADATA).is_file()


def monai_network(folder: Path, *, complain: bool = True) -> tuple[str, dict[str, Any]] | None:
    """Return class name and plain arguments of a bundle's network.

    Parameters
    ----------
    folder : Path
        The bundle.
    complain : bool
        Raise if there is no such network; otherwise return None.

    Raises
    ------
    BundleError
        If the network is of no known class, or its arguments are not plain values.
    """
    try:
        config = read_monai_json(folder / INFERENCE)
        entry = config.get("network_def")
        if not isinstance(entry, Mapping) or target(entry) not in NETWORKS or not _is_monais(entry):
            raise BundleError(
                f"The MONAI bundle {folder} has the network {_named(entry)}; those that are built here are "
                f"{', '.join(NETWORKS)}, others need a TorchScript file {MONAI_SCRIPT}."
            )
        arguments = {key: literal(config, value) for key, value in entry.items() if not key.startswith("_")}
        if arguments.get("pretrained"):
            raise BundleError(f"The network of {folder} wants pretrained weights; nothing is downloaded here.")
    except BundleError:
        if complain:
            raise
        return None
    return target(entry), arguments


def monai_card(folder: Path) -> ModelCard:
    """Derive the card of a MONAI bundle without a ``config.json`` of ours.

    Raises
    ------
    BundleError
        Naming what cannot be derived.
    """
    try:
        return short_card(_derived(folder), folder.resolve().name)
    except BundleError as error:
        raise BundleError(
            f"{str(error).rstrip('.')}; write a short config.json into {folder} (see 'Models from elsewhere' in "
            "docs/volumes.md)."
        ) from error


def _derived(folder: Path) -> dict[str, Any]:
    metadata, config = read_monai_json(folder / METADATA), read_monai_json(folder / INFERENCE)
    inputs, outputs = _format(metadata, "inputs"), _format(metadata, "outputs")
    prepared = _prepared(config)
    dimensions = len(inputs.get("spatial_shape") or prepared.get("spacing") or (0, 0, 0))
    if dimensions != 3:
        raise BundleError(f"The MONAI bundle {folder.name} is for {dimensions}D images, of which no card is derived")
    activation = _activation(config)
    names = _class_names(outputs)
    background = names[:1] != [] and names[0].strip().casefold() == "background"
    if not background and activation == "softmax":
        raise BundleError(f"The MONAI bundle {folder.name} does not say which of {names} is the background")
    network = {"activation": activation, "background": background} | _windows(config, prepared.pop("orientation"))
    return {
        "task": "segment-3d",
        "class_names": ["background", *names[1 if background else 0 :]],
        "in_channels": int(inputs.get("num_channels", 1)),
        "network": network,
        "citation": "\n".join(str(each) for each in metadata.get("references", [])),
        "metrics": dict(metadata.get("eval_metrics") or {}),
        "training": {key: metadata[key] for key in ("authors", "data_source", "version") if metadata.get(key)},
        "licence": str(metadata.get("license") or metadata.get("copyright") or "unknown"),
        **prepared,
    }


def _prepared(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return orientation, spacing and intensity from the transforms before the network."""
    found: dict[str, Any] = {}
    for name, given in steps(config, "preprocessing"):
        base = name.removesuffix("d").removesuffix("Dict")
        if base in HARMLESS:
            continue
        key = {"Orientation": "orientation", "Spacing": "spacing"}.get(base, "intensity")
        if key in found or (base not in INTENSITIES and key == "intensity"):
            raise BundleError(f"The MONAI bundle prepares images by {name}, which has no counterpart here")
        if key == "orientation":
            found[key] = str(literal(config, given.get("axcodes")))
        elif key == "spacing":
            found[key] = _pixdim(literal(config, given.get("pixdim")))
        else:
            arguments = {k: v for k, v in given.items() if k not in ("keys", "allow_missing_keys")}
            found[key] = INTENSITIES[base](literal(config, arguments))
    if "orientation" not in found or "intensity" not in found:
        lacks = "Orientationd" if "orientation" not in found else "a transform of its values"
        raise BundleError(f"The MONAI bundle prepares images without {lacks}, so its network's input is not known")
    order, _ = axis_moves(OWN_AXES, found["orientation"])
    if "spacing" in found:
        # pixdim counts the axes as the network does.
        found["spacing"] = [found["spacing"][order.index(axis)] for axis in range(3)]
    return found


def _pixdim(pixdim: Any) -> list[float]:
    values = [pixdim] * 3 if isinstance(pixdim, int | float) else pixdim
    numbers = isinstance(values, list) and len(values) == 3 and all(isinstance(v, int | float) for v in values)
    if not numbers or not all(v > 0 for v in values):
        raise BundleError(f"The MONAI bundle resamples to the spacing {pixdim!r}, which has no counterpart here")
    return [float(v) for v in values]


def _windows(config: Mapping[str, Any], orientation: str) -> dict[str, Any]:
    """Return window and blending from the inferer; MONAI's defaults where it says nothing."""
    inferer = config.get("inferer", {})
    facts: dict[str, Any] = {"orientation": orientation}
    if not isinstance(inferer, Mapping) or target(inferer) not in ("SlidingWindowInferer", "SlidingWindowInfererAdapt"):
        return facts
    roi = literal(config, inferer.get("roi_size"))
    order, _ = axis_moves(OWN_AXES, orientation)
    sizes = [roi] * 3 if isinstance(roi, int) else [max(0, int(size or 0)) for size in roi or (0, 0, 0)]
    facts["window"] = [sizes[order.index(axis)] for axis in range(3)]
    facts["overlap"] = literal(config, inferer.get("overlap", 0.25))
    facts["blend"] = literal(config, inferer.get("mode", "constant"))
    return facts


def _activation(config: Mapping[str, Any]) -> str:
    """Return what the bundle makes of the outputs: ``softmax`` also where it takes the argmax at once."""
    for name, given in steps(config, "postprocessing"):
        if name.startswith("Activations") and given.get("sigmoid") is True:
            return "sigmoid"
    return "softmax"


def _class_names(outputs: Mapping[str, Any]) -> list[str]:
    channels = outputs.get("channel_def")
    if not isinstance(channels, Mapping) or not channels or not all(str(key).isdecimal() for key in channels):
        raise BundleError("The MONAI bundle does not name its output channels")
    return [str(channels[key]) for key in sorted(channels, key=lambda key: int(str(key)))]


def _format(metadata: Mapping[str, Any], side: str) -> Mapping[str, Any]:
    """Return the description of the first image that goes in or comes out."""
    described = metadata.get("network_data_format", {})
    entries = described.get(side, {}) if isinstance(described, Mapping) else {}
    entry = next(iter(entries.values()), None) if isinstance(entries, Mapping) else None
    if not isinstance(entry, Mapping):
        raise BundleError(f"The MONAI bundle does not describe its {side}")
    if side == "inputs" and len(entries) != 1:
        raise BundleError(f"The MONAI bundle takes the inputs {', '.join(entries)}; one image is what can be given")
    return entry


def _is_monais(entry: Mapping[str, Any]) -> bool:
    """Whether a class is meant that MONAI holds, not one of the same name beside the bundle."""
    module = str(entry.get("_target_", "")).rpartition(".")[0]
    return module in ("", "monai.networks.nets") or module.startswith("monai.networks.nets.")


def _named(entry: Any) -> str:
    return str(entry.get("_target_")) if isinstance(entry, Mapping) else str(entry)
