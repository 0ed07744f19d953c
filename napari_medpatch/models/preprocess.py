"""From pixels to network input; inference and training share these functions.

Patches follow the WSInfer zoo's ``transform``: ``Resize`` means PIL's antialiased bilinear filter. The
zoo's authors measured that another filter changes tumour probabilities by 0.08 on average, so
:func:`normalise_patches` repeats PIL's arithmetic on whole batches, on any device, and
:func:`reference_transform` is PIL itself.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from napari_medpatch.errors import BundleError
from napari_medpatch.models.card import ModelCard
from napari_medpatch.models.intensity import Intensity, intensity_of

if TYPE_CHECKING:
    import torch
    from PIL import Image

_STEPS = ("Resize", "ToTensor", "Normalize")


def normalise_volume(
    hu: npt.NDArray[Any], card: ModelCard, intensity: Intensity | None = None
) -> npt.NDArray[np.float32]:
    """Map the values of a volume to network input.

    Parameters
    ----------
    hu : ndarray
        Any shape, HU for CT models; NaN counts as air.
    card : ModelCard
        Its ``intensity`` is of a kind of :mod:`napari_medpatch.models.intensity`, for example
        ``{"kind": "hu_window", "low": L, "high": H}``.
    intensity : Intensity, optional
        As :func:`napari_medpatch.models.intensity.intensity_of` returned it for the whole volume; needed for
        a part of a volume if the card's kind is measured. By default ``hu`` is taken as the whole volume.

    Returns
    -------
    ndarray
        float32 of the same shape; for an HU window ``low`` and below is 0, ``high`` and above is 1.

    Raises
    ------
    BundleError
        If the model's intensity is not one for volumes.
    """
    return (intensity if intensity is not None else intensity_of(card, hu)).apply(hu)


def normalise_image(rgb: npt.NDArray[Any], card: ModelCard) -> npt.NDArray[np.float32]:
    """Map colour pixels to network input.

    Parameters
    ----------
    rgb : ndarray
        ``(..., 3)``, 0…255, uint8 or float.
    card : ModelCard
        ``intensity`` is ``{"kind": "rgb", "mean": [...], "std": [...]}``, both on the scale 0…1.

    Returns
    -------
    ndarray
        ``(..., 3)`` float32.
    """
    if card.intensity.get("kind") != "rgb":
        raise BundleError(f"Model {card.name} has the intensity {dict(card.intensity)}; a colour model needs 'rgb'.")
    mean = np.asarray(card.intensity.get("mean", (0.0,) * 3), np.float32)
    std = np.asarray(card.intensity.get("std", (1.0,) * 3), np.float32)
    if mean.shape != (3,) or std.shape != (3,) or not (std > 0).all():
        raise BundleError(f"Model {card.name} has mean {mean.tolist()} and std {std.tolist()}; three each are needed.")
    result: npt.NDArray[np.float32] = (rgb.astype(np.float32) / np.float32(255) - mean) / std
    return result


def normalise_patches(patches: "torch.Tensor", card: ModelCard) -> "torch.Tensor":
    """Apply a classifier's ``transform`` to a batch, on the batch's device.

    Parameters
    ----------
    patches : Tensor
        ``(N, Y, X, 3)`` uint8. May be finer or coarser than ``patch_size_pixels``: the first step is then
        one resize straight to the network's input size.
    card : ModelCard
        The classifier.

    Returns
    -------
    Tensor
        ``(N, 3, y, x)`` float32; in memory the channels come last.
    """
    batch = patches.permute(0, 3, 1, 2)
    height, width = input_shape(card, (int(patches.shape[1]), int(patches.shape[2])))
    batch = resize_like_pil(batch, (height, width)).float()
    scale, shift = np.full(3, 1 / 255), np.zeros(3)
    for step in _steps(card):
        if step["name"] == "Normalize":
            mean, std = np.asarray(step["mean"], np.float64), np.asarray(step["std"], np.float64)
            scale, shift = scale / std, (shift - mean) / std
    # In place and in one multiplication and addition: this runs over every pixel that the network sees.
    return batch.mul_(_column(batch, scale.tolist())).add_(_column(batch, shift.tolist()))


def input_shape(card: ModelCard, patch: tuple[int, int]) -> tuple[int, int]:
    """Return the ``(y, x)`` that the network sees for patches read at ``patch`` pixels."""
    shape = patch
    # Without a Resize step the network expects patch_size_pixels at the model's own spacing.
    if card.patch_size_pixels is not None and patch[0] == patch[1]:
        shape = (card.patch_size_pixels, card.patch_size_pixels)
    for step in _steps(card):
        if step["name"] == "Resize":
            shape = _resized(shape, step["size"])
    return shape


def resize_like_pil(batch: "torch.Tensor", shape: tuple[int, int]) -> "torch.Tensor":
    """Resize uint8 images as ``PIL.Image.resize(..., BILINEAR)`` does.

    PIL filters columns first and rounds to uint8 between the passes; so does this.

    Parameters
    ----------
    batch : Tensor
        ``(N, C, Y, X)`` uint8.
    shape : tuple of int
        ``(y, x)`` wanted.

    Returns
    -------
    Tensor
        ``(N, C, y, x)`` uint8, within one grey value of PIL's.
    """
    import torch
    import torch.nn.functional as F

    if batch.device.type == "cpu":
        # Torch's own integer kernel works as PIL's does, five times faster, on pixels whose channels come last.
        last = batch.contiguous(memory_format=torch.channels_last)
        same = tuple(batch.shape[2:]) == shape
        return last if same else F.interpolate(last, size=shape, mode="bilinear", align_corners=False, antialias=True)
    for size in ((int(batch.shape[2]), shape[1]), shape):
        if tuple(batch.shape[2:]) != size:
            smooth = F.interpolate(batch.float(), size=size, mode="bilinear", align_corners=False, antialias=True)
            batch = smooth.add_(0.5).clamp_(0, 255).to(torch.uint8)
    return batch


def reference_transform(image: "Image.Image", card: ModelCard) -> "torch.Tensor":
    """Apply a classifier's ``transform`` to one PIL image exactly as WSInfer does.

    Parameters
    ----------
    image : PIL.Image.Image
        RGB patch.
    card : ModelCard
        The classifier.

    Returns
    -------
    Tensor
        ``(3, y, x)`` float32.
    """
    import torch
    from PIL import Image

    pixels = image.convert("RGB")
    for step in _steps(card):
        if step["name"] == "Resize":
            height, width = _resized((pixels.height, pixels.width), step["size"])
            pixels = pixels.resize((width, height), Image.Resampling.BILINEAR)
    tensor = torch.from_numpy(np.array(pixels)).permute(2, 0, 1).float() / 255
    for step in _steps(card):
        if step["name"] == "Normalize":
            tensor = (tensor - _column(tensor, step["mean"])) / _column(tensor, step["std"])
    return tensor


def _steps(card: ModelCard) -> list[Mapping[str, Any]]:
    """Return the checked steps, flattened to ``{"name", **arguments}``."""
    steps: list[Mapping[str, Any]] = []
    for step in card.transform:
        name, arguments = step.get("name"), dict(step.get("arguments") or {})
        needed = {"Resize": {"size"}, "ToTensor": set(), "Normalize": {"mean", "std"}}.get(str(name))
        optional = {"interpolation", "antialias", "inplace"}
        if needed is None or not needed <= set(arguments) <= needed | optional or not _bilinear(arguments):
            raise BundleError(
                f"Model {card.name} asks for the transform {dict(step)}; known are {', '.join(_STEPS)}, bilinear."
            )
        steps.append({"name": name, **arguments})
    return steps


def _bilinear(arguments: Mapping[str, Any]) -> bool:
    return (
        arguments.get("interpolation", "bilinear") in ("bilinear", 2) and arguments.get("antialias", True) is not False
    )


def _resized(shape: tuple[int, int], size: int | Sequence[int]) -> tuple[int, int]:
    """Follow torchvision: one number is the shorter edge, two are ``(y, x)``."""
    sizes = [size] if isinstance(size, int) else list(size)
    if len(sizes) == 2:
        return int(sizes[0]), int(sizes[1])
    height, width = shape
    if height <= width:
        return int(sizes[0]), int(sizes[0] * width / height)
    return int(sizes[0] * height / width), int(sizes[0])


def _column(like: "torch.Tensor", values: Sequence[float]) -> "torch.Tensor":
    """Return per-channel values shaped to broadcast over ``(..., C, y, x)``."""
    import torch

    return torch.tensor(values, dtype=like.dtype, device=like.device)[:, None, None]
