"""Train ``fundus-vessels-unet2d`` and write its bundle.

    python scripts/train_vessels.py CHASEDB1_FOLDER -o napari_medpatch/models/weights/fundus-vessels-unet2d

Subjects 6 and 7 of CHASE_DB1 are held out for the reported scores; the others and simulated eyes train.
"""

import argparse
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, map_coordinates
from skimage.transform import resize
from torch import nn
from training_loop import fit, kept_readme, soft_segmentation_loss

from napari_medpatch.io.photo import PhotoSource
from napari_medpatch.models.bundle import save_bundle
from napari_medpatch.models.card import ModelCard
from napari_medpatch.models.preprocess import normalise_image
from napari_medpatch.models.unet import UNetConfig, build_unet
from napari_medpatch.samples.fundus import make_fundus
from napari_medpatch.samples.shapes import Field, smooth_noise

FOV_PIXELS = 768
PATCH = (256, 256)
HELD_OUT = ("06", "07")
CARD = ModelCard(
    name="fundus-vessels-unet2d",
    task="segment-2d",
    architecture="unet",
    class_names=("background", "vessel"),
    spacing=(1 / FOV_PIXELS,) * 2,
    spacing_unit="fov",
    in_channels=3,
    intensity={"kind": "rgb", "mean": [0.5, 0.3, 0.2], "std": [0.25, 0.2, 0.2]},
    network={"levels": 4, "channels": 12, "convs": 2, "norm": "batch"},
    licence="BSD-3-Clause",
)


@dataclass(frozen=True, slots=True)
class Eye:
    """A photograph at the working resolution and the share of each pixel that is vessel (-1 does not count)."""

    rgb: Field
    share: Field
    weight: float


def main() -> None:
    """Train, measure on the held-out eyes, save the bundle."""
    arguments = _arguments()
    torch.manual_seed(arguments.seed)
    names = sorted(path.stem for path in arguments.folder.glob("Image_*.jpg"))
    eyes = [_photograph(arguments.folder, name) for name in names if name[6:8] not in HELD_OUT]
    print(f"{len(eyes)} real eyes for training", flush=True)
    eyes += [_simulated(seed) for seed in range(arguments.simulated)]
    net = fit(
        build_unet(UNetConfig(dimensions=2, in_channels=3, num_classes=2, **CARD.network)),
        _draw(eyes), soft_segmentation_loss,
        steps=arguments.steps, rate=arguments.rate, seed=arguments.seed, freeze_norm_at=0.6,
    )  # fmt: skip
    scores = measure(net, arguments.folder, [name for name in names if name[6:8] in HELD_OUT])
    print(json.dumps(scores, indent=2))
    save_bundle(
        arguments.output,
        replace(CARD, metrics=scores, training=_provenance(arguments)),
        net,
        readme=kept_readme(arguments.output),
        half=True,
    )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="folder of Image_01L.jpg, Image_01L_1stHO.png, …")
    parser.add_argument("-o", "--output", type=Path, required=True, help="bundle folder to write")
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--simulated", type=int, default=30)
    parser.add_argument("--rate", type=float, default=3e-3)
    parser.add_argument("--seed", type=int, default=7)
    return parser.parse_args()


def _provenance(arguments: argparse.Namespace) -> dict[str, object]:
    return {
        "script": "scripts/train_vessels.py",
        "data": ["CHASE_DB1 subjects 1-5, first observer", "simulated eyes"],
        "steps": arguments.steps, "batch": 2, "simulated": arguments.simulated, "seed": arguments.seed,
    }  # fmt: skip


def _photograph(folder: Path, name: str) -> Eye:
    """Read a photograph and the first observer's vessels at the working resolution."""
    from PIL import Image

    source = PhotoSource(folder / f"{name}.jpg")
    fov = source.fov_mask()
    vessels = np.asarray(Image.open(folder / f"{name}_1stHO.png"), np.float32)
    shape = working_shape(fov)
    rgb = resize(source.array.astype(np.float32), shape, anti_aliasing=True)
    share = resize(np.clip(vessels, 0, 1), shape, anti_aliasing=True)
    return Eye(rgb.astype(np.float32), share.astype(np.float32), 1.0)


def working_shape(fov: NDArray[np.bool_]) -> tuple[int, int]:
    """Return the shape at which the field of view has the working diameter."""
    rows, columns = np.nonzero(fov.any(1))[0], np.nonzero(fov.any(0))[0]
    scale = FOV_PIXELS / max(np.ptp(rows) + 1, np.ptp(columns) + 1)
    return round(fov.shape[0] * scale), round(fov.shape[1] * scale)


def _simulated(seed: int) -> Eye:
    side = round(FOV_PIXELS / 0.96)
    eye = make_fundus((side, side), seed=seed, lesions=40)
    return Eye(eye.image.astype(np.float32), eye.vessel_share, 0.25)


def _draw(eyes: list[Eye]) -> Callable[[np.random.Generator], tuple[torch.Tensor, torch.Tensor]]:
    chances = np.array([eye.weight for eye in eyes])
    chances = chances / chances.sum()

    def draw(rng: np.random.Generator) -> tuple[torch.Tensor, torch.Tensor]:
        chosen = rng.choice(len(eyes), 2, p=chances)
        images, shares = zip(*(random_patch(eyes[int(index)], rng) for index in chosen), strict=True)
        batch = torch.from_numpy(normalise_image(np.stack(images), CARD)).permute(0, 3, 1, 2)
        return batch.contiguous(), torch.from_numpy(np.stack(shares))

    return draw


def random_patch(eye: Eye, rng: np.random.Generator) -> tuple[Field, Field]:
    """Return a turned, scaled, bent and recoloured patch; scales cover fields of view of 30 to 60 degrees."""
    angle, scale = rng.uniform(0, 2 * np.pi), np.exp(rng.uniform(np.log(0.8), np.log(1.9)))
    grid = np.stack(np.meshgrid(*(np.arange(n) - n / 2 for n in PATCH), indexing="ij"))
    grid[1] *= rng.choice([-1, 1])
    matrix = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    middle = np.array(eye.share.shape) / 2
    centre = middle + rng.uniform(-1, 1, 2) * np.maximum(middle - 100, 0) * 0.8
    places = np.einsum("ij,j...->i...", matrix, grid) + centre[:, None, None]
    places += np.stack([smooth_noise(PATCH, 40, rng) * rng.uniform(0, 2) for _ in range(2)])
    # A scaled-down image must be smoothed first, or thin vessels break up.
    sigma = 0.35 * max(0.0, scale**2 - 1) ** 0.5
    rgb = np.stack([map_coordinates(gaussian_filter(eye.rgb[..., c], sigma), places, order=1) for c in range(3)], -1)
    share = map_coordinates(gaussian_filter(eye.share, sigma), places, order=1)
    return _camera(rgb, rng), share.astype(np.float32)


def _camera(rgb: NDArray[Any], rng: np.random.Generator) -> Field:
    """Change colour, light, contrast, sharpness and noise at random."""
    light = rgb / 255
    light = light ** rng.uniform(0.7, 1.5) * rng.uniform(0.6, 1.5) * rng.uniform(0.75, 1.3, 3)
    grey = light.mean(-1, keepdims=True)
    light = grey + (light - grey) * rng.uniform(0.2, 1.4)
    light *= 1 + rng.uniform(0, 0.3) * smooth_noise(PATCH, 150, rng)[..., None]
    haze = rng.uniform(0, 0.35) if rng.random() < 0.3 else 0.0
    light = light * (1 - haze) + haze * rng.uniform(0.3, 0.8, 3)
    if rng.random() < 0.4:
        light = gaussian_filter(light, (*[rng.uniform(0.3, 1.4)] * 2, 0))
    if rng.random() < 0.3:
        light = light + rng.uniform(0.3, 1.2) * (light - gaussian_filter(light, (1.0, 1.0, 0)))
    light = light + rng.normal(0, rng.uniform(0, 0.03), light.shape)
    return np.clip(light * 255, 0, 255).astype(np.float32)


@torch.no_grad()
def predict(net: nn.Module, rgb: NDArray[np.uint8], fov: NDArray[np.bool_]) -> Field:
    """Return the probability of vessel on the photograph's own grid, 0 outside the field of view."""
    small = resize(rgb.astype(np.float32), working_shape(fov), anti_aliasing=True)
    padded = np.pad(small, [(0, -n % 8) for n in small.shape[:2]] + [(0, 0)], mode="edge")
    batch = torch.from_numpy(normalise_image(padded, CARD)).permute(2, 0, 1)[None]
    probability = torch.softmax(net(batch), 1)[:, 1:, : small.shape[0], : small.shape[1]]
    fine = nn.functional.interpolate(probability, size=fov.shape, mode="bilinear", align_corners=False)
    result: Field = fine[0, 0].numpy() * fov
    return result


def measure(net: nn.Module, folder: Path, names: list[str]) -> dict[str, float]:
    """Return Dice and AUC within the field of view, mean over eyes, and the second observer's Dice."""
    from PIL import Image
    from sklearn.metrics import roc_auc_score

    rows = []
    for name in names:
        source = PhotoSource(folder / f"{name}.jpg")
        fov = source.fov_mask()
        first, second = (np.asarray(Image.open(folder / f"{name}_{o}HO.png"), bool)[fov] for o in ("1st", "2nd"))
        found = predict(net, source.array, fov)[fov]
        rows.append([_dice(found > 0.5, first), roc_auc_score(first, found), _dice(second, first)])
    mean = np.mean(rows, axis=0)
    keys = ("chase_held_out_dice", "chase_held_out_auc", "chase_second_observer_dice")
    return {"chase_held_out_eyes": len(names)} | {k: round(float(m), 4) for k, m in zip(keys, mean, strict=True)}


def _dice(found: NDArray[np.bool_], truth: NDArray[np.bool_]) -> float:
    return float(2 * (found & truth).sum() / max(1, found.sum() + truth.sum()))


if __name__ == "__main__":
    main()
