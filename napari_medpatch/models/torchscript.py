"""TorchScript files of bundles: what WSInfer and QuPath run.

TorchScript is code as well as weights, but it runs in torch's own interpreter; a pickle is never opened.
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from napari_medpatch.errors import BundleError
from napari_medpatch.models.card import ModelCard

if TYPE_CHECKING:
    from torch import nn

TORCHSCRIPT_NAME = "torchscript_model.pt"


def load_torchscript(folder: Path) -> "nn.Module":
    """Load a bundle's TorchScript module to the CPU.

    Raises
    ------
    BundleError
        If the file is damaged.
    """
    import torch

    path = folder / TORCHSCRIPT_NAME
    try:
        with _quiet():
            module: nn.Module = torch.jit.load(str(path), map_location="cpu")  # type: ignore[no-untyped-call]
    except (RuntimeError, ValueError) as error:
        raise BundleError(f"{path} is not a readable TorchScript file; get the bundle again.") from error
    return module


def save_torchscript(folder: Path, card: ModelCard, model: "nn.Module") -> Path:
    """Trace a model in evaluation mode, on the CPU, and write it into a folder.

    Parameters
    ----------
    folder : Path
        Where ``torchscript_model.pt`` goes.
    card : ModelCard
        Gives the size of the example that is traced.
    model : torch.nn.Module
        Left as it is.
    """
    import copy
    import io

    import torch

    still = copy.deepcopy(model).cpu().float().eval().requires_grad_(False)
    with _quiet(), torch.no_grad():
        traced = torch.jit.trace(still, torch.zeros(_example_shape(card)), check_trace=False)  # type: ignore[no-untyped-call]
        buffer = io.BytesIO()
        torch.jit.save(traced, buffer)
    # Bytes written by Python, so that a full disk is an OSError.
    (folder / TORCHSCRIPT_NAME).write_bytes(buffer.getvalue())
    return folder / TORCHSCRIPT_NAME


def _example_shape(card: ModelCard) -> tuple[int, ...]:
    """Return ``(1, C, *spatial)`` of a typical input."""
    if card.task == "patch-classifier":
        from napari_medpatch.models.preprocess import input_shape

        edge = card.patch_size_pixels or 224
        return (1, card.in_channels, *input_shape(card, (edge, edge)))
    return (1, card.in_channels, *(64,) * card.dimensions)


@contextmanager
def _quiet() -> Iterator[None]:
    """Hide torch's notice that TorchScript will go; the zoo's format is TorchScript all the same."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=FutureWarning)
        warnings.filterwarnings("ignore", category=DeprecationWarning)
        yield
