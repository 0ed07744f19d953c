"""Segmentation networks that others trained: TorchScript, torch.export and MONAI bundles in a folder.

TorchScript and torch.export files are programs as well as weights: by naming the folder the user chooses to run
them. Nothing is unpickled; weights of MONAI bundles are read as plain tensors into a network of MONAI's own.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from napari_medpatch.models.monai_bundle import MONAI_SCRIPT, MONAI_WEIGHTS, is_monai_bundle, monai_network
from napari_medpatch.models.torchscript import TORCHSCRIPT_NAME

if TYPE_CHECKING:
    import torch
    from torch import nn

ForeignKind = Literal["torchscript", "torch.export", "monai"]
EXPORTED_NAME = "model.pt2"
FOREIGN_NAMES = (TORCHSCRIPT_NAME, EXPORTED_NAME, MONAI_SCRIPT, MONAI_WEIGHTS)


@dataclass(frozen=True, slots=True)
class ForeignFile:
    """What defines a foreign network.

    Parameters
    ----------
    kind : str
        ``"torchscript"``, ``"torch.export"`` or ``"monai"``.
    path : Path
        Program, or weights.
    """

    kind: ForeignKind
    path: Path


def foreign_file(folder: Path) -> ForeignFile | None:
    """Return the foreign network of a folder, None if it has none; reads JSON only.

    A MONAI bundle's weights go before its TorchScript if its network is one that can be built here.
    """
    if (folder / TORCHSCRIPT_NAME).is_file():
        return ForeignFile("torchscript", folder / TORCHSCRIPT_NAME)
    if (folder / EXPORTED_NAME).is_file():
        return ForeignFile("torch.export", folder / EXPORTED_NAME)
    script, weights = folder / MONAI_SCRIPT, folder / MONAI_WEIGHTS
    alone = not script.is_file()
    if weights.is_file() and is_monai_bundle(folder) and (alone or monai_network(folder, complain=False) is not None):
        return ForeignFile("monai", weights)
    return ForeignFile("torchscript", script) if script.is_file() else None


def load_foreign(file: ForeignFile, folder: Path, device: "str | torch.device") -> "nn.Module":
    """Load a foreign network to a device.

    Raises
    ------
    BundleError
        If the file is damaged or does not fit.
    """
    if file.kind == "torchscript":
        from napari_medpatch.models.torchscript import load_script

        return load_script(file.path).to(device).eval()
    if file.kind == "torch.export":
        from napari_medpatch.models.exported import load_exported

        return load_exported(file.path, device)
    from napari_medpatch.models.monai_network import build_monai

    return build_monai(folder, file.path).to(device).eval()
