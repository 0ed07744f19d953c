"""Test-time augmentation: looking at a patch from several sides and averaging.

The views are those of the PatchCamelyon notebook "A complete ML pipeline (Fast.ai)" (J. Juvonen, Kaggle,
2019): flips, quarter turns, a crop of 90 of 96 pixels that is shifted at random, brightness within ±7 % and
contrast within ±5 %, whose probabilities are averaged. Two things differ: the plain view takes part with
the same weight, as in fastai's ``Learner.tta``, so that the average never strays far from the plain score;
and the notebook's rotation by up to 3° is left out, because it would bring corners from outside the patch.
"""

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from napari_medpatch.errors import SettingsError
from napari_medpatch.infer.seeds import uniforms

if TYPE_CHECKING:
    import torch

    from napari_medpatch.infer.scoring import Forward, Keys, Look

SMALLEST_CROP = 90 / 96
BRIGHTNESS = 0.07
CONTRAST = 0.05

_DRAWS = 7


def augmented_looks(views: int, seed: int) -> "list[Look]":
    """Return the plain look and ``views`` random ones.

    Parameters
    ----------
    views : int
        Number of random views, at least 1.
    seed : int
        Another seed gives other views; the same one gives the same views of the same patch in whatever
        batch it comes.
    """
    from napari_medpatch.infer.scoring import plain_look

    return [plain_look, *(_random_look(number, seed) for number in range(1, views + 1))]


def random_views(patches: "torch.Tensor", draws: npt.NDArray[np.float64]) -> "torch.Tensor":
    """Turn, flip, crop and re-colour patches.

    Parameters
    ----------
    patches : Tensor
        ``(N, Y, X, 3) uint8``.
    draws : ndarray
        ``(N, 7)``, 0…1: flip, quarter turns, size of the crop, its place along y and x, brightness and
        contrast.

    Returns
    -------
    Tensor
        ``(N, Y, X, 3) uint8``. Every pixel comes from within its patch (bilinear interpolation).
    """
    import torch
    import torch.nn.functional as F

    images = patches.permute(0, 3, 1, 2).float()
    matrices = torch.from_numpy(_matrices(draws)).to(images.device)
    grid = F.affine_grid(matrices, list(images.shape), align_corners=False)
    turned = F.grid_sample(images, grid, mode="bilinear", padding_mode="border", align_corners=False)
    offset, gain = (torch.from_numpy(v).to(images.device)[:, None, None, None] for v in _colours(draws))
    coloured = turned.add_(255 * offset).mul_(gain)
    return coloured.add_(0.5).clamp_(0, 255).to(torch.uint8).permute(0, 2, 3, 1).contiguous()


def _random_look(number: int, seed: int) -> "Look":
    def look(forward: "Forward", patches: "torch.Tensor", keys: "Keys") -> "torch.Tensor":
        import torch

        if patches.dtype != torch.uint8:
            raise SettingsError(
                "Test-time augmentation needs patches as they were read, but --exact prepares them as WSInfer does; "
                "use one of the two."
            )
        logits: torch.Tensor = forward(random_views(patches, uniforms(keys, _DRAWS, seed, number)))
        return logits

    return look


def _matrices(draws: npt.NDArray[np.float64]) -> npt.NDArray[np.float32]:
    """Return ``(N, 2, 3)``: from a place in the view to one in the patch, both from -1 to 1, ``(x, y)``."""
    flip, turns, size, along_y, along_x = draws[:, :5].T
    quarter = np.floor(4 * turns) * (np.pi / 2)
    cos, sin = np.rint(np.cos(quarter)), np.rint(np.sin(quarter))
    mirror = np.where(flip < 0.5, -1.0, 1.0)
    edge = SMALLEST_CROP + (1 - SMALLEST_CROP) * size
    turn = np.stack([np.stack([cos * mirror, -sin], axis=1), np.stack([sin * mirror, cos], axis=1)], axis=1)
    shift = np.stack([2 * along_x - 1, 2 * along_y - 1], axis=1) * (1 - edge)[:, None]
    return np.concatenate([turn * edge[:, None, None], shift[:, :, None]], axis=2).astype(np.float32)


def _colours(draws: npt.NDArray[np.float64]) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Return what is added to (as a share of white) and then multiplied with each patch."""
    brightness, contrast = 2 * draws[:, 5:].T - 1
    return (BRIGHTNESS * brightness).astype(np.float32), (1 + CONTRAST * contrast).astype(np.float32)
