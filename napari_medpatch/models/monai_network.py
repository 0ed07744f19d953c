"""Build the network of a MONAI bundle from its class name, plain arguments and plain tensors."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_medpatch.errors import BundleError
from napari_medpatch.models.monai_bundle import MONAI_SCRIPT, monai_network

if TYPE_CHECKING:
    import torch
    from torch import nn

_WRAPPERS = ("state_dict", "model", "network", "net", "model_state_dict")


def build_monai(folder: Path, weights: Path) -> "nn.Module":
    """Return the network with its weights, on the CPU.

    Parameters
    ----------
    folder : Path
        The bundle; its ``network_def`` names a class of ``monai.networks.nets`` from a fixed list.
    weights : Path
        File of ``torch.save`` that holds tensors only.

    Raises
    ------
    BundleError
        If the network cannot be built, the file holds more than tensors, or both do not fit.
    """
    from monai.networks import nets

    from napari_medpatch.models.state_names import match_names
    from napari_medpatch.models.weights_file import fill

    described = monai_network(folder)
    if described is None:
        raise BundleError(f"The MONAI bundle {folder} describes no network.")
    name, arguments = described
    try:
        model: nn.Module = getattr(nets, name)(**arguments)
    except (TypeError, ValueError, KeyError, RuntimeError, AttributeError, NotImplementedError) as error:
        raise BundleError(f"{name} of MONAI cannot be built from {arguments}: {error}.") from error
    state = read_plain_tensors(weights)
    names = match_names(list(model.state_dict()), state)
    fill(model, {new: state[old] for old, new in names.items()}, folder.name)
    return model


def read_plain_tensors(path: Path) -> "dict[str, torch.Tensor]":
    """Read a state dict that ``torch.save`` wrote, float32; never unpickles anything else.

    Raises
    ------
    BundleError
        If the file is damaged or holds other objects.
    """
    import torch

    try:
        found: Any = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise BundleError(
            f"{path} cannot be read as plain tensors, and nothing else is ever opened; save the network's state_dict, "
            f"or TorchScript as {MONAI_SCRIPT}."
        ) from error
    for key in _WRAPPERS:
        if isinstance(found, Mapping) and isinstance(found.get(key), Mapping):
            found = found[key]
    tensors = isinstance(found, Mapping) and all(isinstance(value, torch.Tensor) for value in found.values())
    if not tensors or not found:
        raise BundleError(f"{path} holds no state_dict of a network; save one with torch.save(net.state_dict(), ...).")
    return {str(k): v.float() if v.is_floating_point() else v for k, v in found.items()}
