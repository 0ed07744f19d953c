"""Weights on disk: one safetensors file, hashed; never a pickle."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from napari_medpatch.errors import BundleError

if TYPE_CHECKING:
    import torch
    from torch import nn

WEIGHTS_NAME = "model.safetensors"
_CHUNK = 1 << 20


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file as hexadecimal digits."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def write_weights(path: Path, model: "nn.Module", *, half: bool = False) -> str:
    """Write parameters and buffers of a model.

    Parameters
    ----------
    path : Path
        The file; not atomic by itself, write it inside ``atomic_folder``.
    model : torch.nn.Module
        On any device; left as it is.
    half : bool
        Store float16. Running variances, and tensors with values that float16 cannot hold, stay float32.

    Returns
    -------
    str
        SHA-256 of the file.
    """
    from safetensors.torch import save

    # clone() unties shared tensors, which safetensors refuses.
    state = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in model.state_dict().items()}
    if half:
        state = {name: _halved(name, tensor) for name, tensor in state.items()}
    # Bytes written by Python, so that a full disk is an OSError that atomic_folder words.
    path.write_bytes(save(state))
    return file_sha256(path)


def read_weights(path: Path, sha256: str | None = None) -> "dict[str, torch.Tensor]":
    """Read a safetensors file to the CPU; float16 and bfloat16 become float32.

    Parameters
    ----------
    path : Path
        The file.
    sha256 : str, optional
        Expected hash.

    Raises
    ------
    BundleError
        If the file is missing, not safetensors, or not the one that was hashed.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    if not path.is_file():
        raise BundleError(f"The weights file {path} is missing; copy the whole bundle folder again.")
    if sha256 is not None and (found := file_sha256(path)) != sha256:
        raise BundleError(
            f"The weights {path} were altered or damaged (SHA-256 {found[:12]}… instead of {sha256[:12]}…); "
            "get the bundle again."
        )
    try:
        state = load_file(path)
    except (SafetensorError, OSError) as error:
        raise BundleError(f"{path} is not a readable safetensors file ({error}); get the bundle again.") from error
    return {name: tensor.float() if tensor.is_floating_point() else tensor for name, tensor in state.items()}


def read_shapes(path: Path) -> dict[str, tuple[int, ...]]:
    """Return name and shape of each tensor of a safetensors file without reading the values."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="np") as file:
            return {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise BundleError(f"{path} is not a readable safetensors file ({error}); choose another.") from error


def fill(model: "nn.Module", state: "Mapping[str, torch.Tensor]", name: str) -> None:
    """Copy weights into a model; every name and shape must match.

    Raises
    ------
    BundleError
        Naming the first tensor that is missing, superfluous or of another shape.
    """
    wanted = {key: tuple(tensor.shape) for key, tensor in model.state_dict().items()}
    complaint = mismatch(wanted, {key: tuple(tensor.shape) for key, tensor in state.items()})
    if complaint:
        raise BundleError(f"The weights of {name} do not fit its config.json: {complaint}.")
    model.load_state_dict(state)


def mismatch(wanted: Mapping[str, tuple[int, ...]], found: Mapping[str, tuple[int, ...]]) -> str:
    """Say how the tensors found differ from those wanted, "" if they do not."""
    for key, shape in wanted.items():
        if key not in found:
            return f"{key} is missing"
        if found[key] != shape:
            return f"{key} has shape {found[key]} where {shape} is needed"
    surplus = sorted(set(found) - set(wanted))
    return f"{surplus[0]} is unknown to the architecture" if surplus else ""


def _halved(name: str, tensor: "torch.Tensor") -> "torch.Tensor":
    """Return float16 where that loses no more than precision."""
    if not tensor.is_floating_point() or name.endswith("running_var"):
        return tensor
    half = tensor.half()
    return half if bool(half.isfinite().all()) else tensor
