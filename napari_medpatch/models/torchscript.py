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
from napari_medpatch.models.tensor_float import convolve_in_float32

if TYPE_CHECKING:
    from torch import nn

TORCHSCRIPT_NAME = "torchscript_model.pt"


def load_torchscript(folder: Path) -> "nn.Module":
    """Load a bundle's TorchScript module to the CPU; see :func:`load_script`."""
    return load_script(folder / TORCHSCRIPT_NAME)


def load_script(path: Path) -> "nn.Module":
    """Load a TorchScript file to the CPU.

    Raises
    ------
    BundleError
        If the file is damaged.
    """
    import torch

    try:
        with quiet_torchscript():
            module: nn.Module = torch.jit.load(str(path), map_location="cpu")  # type: ignore[no-untyped-call]
    except (RuntimeError, ValueError) as error:
        raise BundleError(f"{path} is not a readable TorchScript file; get the bundle again.") from error
    convolve_in_float32(module)
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
        Left as it is. Of a multiple-instance model the patch classifier is written, without attention.

    Raises
    ------
    BundleError
        If torch cannot trace it.
    """
    if card.task == "slide-mil":
        from napari_medpatch.models.wsinfer_layers import FirstColumns

        model = FirstColumns(model, card.num_classes)
    # Bytes written by Python, so that a full disk is an OSError.
    (folder / TORCHSCRIPT_NAME).write_bytes(traced_bytes(model, example_shape(card), card.name))
    return folder / TORCHSCRIPT_NAME


def traced_bytes(model: "nn.Module", shape: tuple[int, ...], name: str) -> bytes:
    """Return the TorchScript file of a model.

    Parameters
    ----------
    model : torch.nn.Module
        Left as it is.
    shape : tuple of int
        Of the example that is traced, ``(N, C, *spatial)``.
    name : str
        The model's, for the error.

    Raises
    ------
    BundleError
        If torch cannot trace it.
    """
    import copy
    import io

    import torch

    still = copy.deepcopy(model).cpu().float().eval()
    for parameter in still.parameters():
        parameter.requires_grad_(False)
    example = torch.rand(shape, generator=torch.Generator().manual_seed(0))
    buffer = io.BytesIO()
    try:
        with quiet_torchscript(), torch.no_grad():
            scripted = isinstance(still, torch.jit.ScriptModule)
            traced = still if scripted else torch.jit.trace(still, example, check_trace=False)  # type: ignore[no-untyped-call]
            torch.jit.save(traced, buffer)
    except (RuntimeError, TypeError, ValueError) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
        raise BundleError(f"{name} cannot be written as TorchScript ({reason}); use another architecture.") from error
    return buffer.getvalue()


def example_shape(card: ModelCard) -> tuple[int, ...]:
    """Return ``(1, C, *spatial)`` of a typical input."""
    if card.task in ("patch-classifier", "slide-mil"):
        from napari_medpatch.models.preprocess import input_shape

        edge = card.patch_size_pixels or 224
        return (1, card.in_channels, *input_shape(card, (edge, edge)))
    return (1, card.in_channels, *(64,) * card.dimensions)


@contextmanager
def quiet_torchscript() -> Iterator[None]:
    """Hide torch's notice that TorchScript will go, and its doubts about what it traces.

    The zoo's format is TorchScript all the same, and what is exported is compared with the original.
    """
    import torch

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=FutureWarning)
        warnings.filterwarnings("ignore", category=DeprecationWarning)
        warnings.filterwarnings("ignore", category=torch.jit.TracerWarning)  # type: ignore[attr-defined]
        yield
