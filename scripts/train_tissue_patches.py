"""Train ``tissue-patches-demo`` on simulated tissue only and write its bundle.

    python scripts/train_tissue_patches.py -o napari_medpatch/models/weights/tissue-patches-demo [--ucsb FOLDER]

A demonstration of the format and of the jobs; with ``--ucsb`` (96 px patches ``train/<id>.tif`` and
``train_labels.csv``) it also measures how little simulated tissue teaches about real breast biopsies.
"""

import argparse
import csv
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from torch import nn
from training_loop import fit, kept_readme

from napari_medpatch.models.bundle import save_bundle
from napari_medpatch.models.card import ModelCard
from napari_medpatch.models.network import build_network
from napari_medpatch.models.preprocess import normalise_patches
from napari_medpatch.samples.histology import TISSUES, Dyes, draw_stain, texture
from napari_medpatch.samples.shapes import smooth_noise

SIDE, MPP = 96, 1.0
CARD = ModelCard(
    name="tissue-patches-demo",
    task="patch-classifier",
    architecture="mobilenetv3_small_050",
    class_names=("normal", "tumor"),
    patch_size_pixels=SIDE,
    spacing_um_px=MPP,
    transform=(
        {"name": "Resize", "arguments": {"size": SIDE}},
        {"name": "ToTensor"},
        {"name": "Normalize", "arguments": {"mean": [0.75, 0.6, 0.75], "std": [0.2, 0.25, 0.2]}},
    ),
    licence="BSD-3-Clause",
)


def main() -> None:
    """Train, measure on fresh simulated tissue and, if given, on real patches; save the bundle."""
    arguments = _arguments()
    torch.manual_seed(arguments.seed)
    rng = np.random.default_rng(arguments.seed)
    draw = _draw(_textures(arguments.textures, rng), arguments.batch)
    net = fit(
        build_network(CARD), draw, nn.functional.cross_entropy,
        steps=arguments.steps, rate=arguments.rate, seed=arguments.seed, freeze_norm_at=0.7,
    )  # fmt: skip
    fresh = _draw(_textures(6, np.random.default_rng(arguments.seed + 1)), 400)
    scores = {"phantom_auc": _auc_of_batch(net, *fresh(np.random.default_rng(1)))}
    if arguments.ucsb:
        scores |= measure_ucsb(net, arguments.ucsb)
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
    parser.add_argument("-o", "--output", type=Path, required=True, help="bundle folder to write")
    parser.add_argument("--ucsb", type=Path, help="folder of real patches, only measured on")
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--textures", type=int, default=14)
    parser.add_argument("--rate", type=float, default=3e-3)
    parser.add_argument("--seed", type=int, default=3)
    return parser.parse_args()


def _provenance(arguments: argparse.Namespace) -> dict[str, object]:
    return {
        "script": "scripts/train_tissue_patches.py", "data": ["simulated tissue"],
        "steps": arguments.steps, "batch": arguments.batch, "seed": arguments.seed,
    }  # fmt: skip


def _textures(count: int, rng: np.random.Generator) -> dict[str, list[Dyes]]:
    """Make ``count`` textures of each tissue, at scales around the working resolution."""
    return {name: [texture(name, 384, MPP * rng.uniform(0.8, 1.25), rng) for _ in range(count)] for name in TISSUES}


def _draw(
    textures: dict[str, list[Dyes]], batch: int
) -> Callable[[np.random.Generator], tuple[torch.Tensor, torch.Tensor]]:
    normal = [name for name in textures if name != "tumour"]

    def draw(rng: np.random.Generator) -> tuple[torch.Tensor, torch.Tensor]:
        labels = rng.integers(0, 2, batch)
        patches = [_patch(textures, "tumour" if label else str(rng.choice(normal)), rng) for label in labels]
        return normalise_patches(torch.from_numpy(np.stack(patches)), CARD), torch.from_numpy(labels)

    return draw


def _patch(textures: dict[str, list[Dyes]], kind: str, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Return one stained, photographed patch; a part of it may be other tissue or glass."""
    dyes = _crop(textures[kind], rng)
    if rng.random() < 0.4:
        field = smooth_noise((SIDE, SIDE), SIDE / 2, rng)
        other = field > np.quantile(field, rng.uniform(0.6, 1.0))
        name = str(rng.choice([*textures, "glass"]))
        foreign = np.zeros_like(dyes) if name == "glass" else _crop(textures[name], rng)
        dyes = np.where(other[..., None], foreign, dyes)
    rgb = draw_stain(rng, 1.3).colour(dyes).astype(np.float32)
    sigma = rng.uniform(0, 0.9)
    rgb = gaussian_filter(rgb, (sigma, sigma, 0)) * rng.uniform(0.85, 1.05) + rng.normal(0, 3, rgb.shape)
    return np.clip(rgb, 0, 255).astype(np.uint8)


def _crop(choices: list[Dyes], rng: np.random.Generator) -> Dyes:
    whole = choices[int(rng.integers(len(choices)))]
    top, left = rng.integers(0, len(whole), 2)
    rows, columns = (start + np.arange(SIDE) for start in (top, left))
    part = np.rot90(whole[np.ix_(rows % len(whole), columns % len(whole))], int(rng.integers(4)))
    return part[::-1] if rng.random() < 0.5 else part


@torch.no_grad()
def _auc_of_batch(net: nn.Module, inputs: torch.Tensor, labels: torch.Tensor) -> float:
    from sklearn.metrics import roc_auc_score

    return round(float(roc_auc_score(labels.numpy(), torch.softmax(net(inputs), 1)[:, 1].numpy())), 4)


@torch.no_grad()
def measure_ucsb(net: nn.Module, folder: Path) -> dict[str, float]:
    """Return the AUC per patch and per photograph on real tissue that no step of the training saw."""
    import tifffile
    from sklearn.metrics import roc_auc_score

    with (folder / "patch_origin.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    patches = np.stack([tifffile.imread(folder / "train" / f"{row['id']}.tif")[..., :3] for row in rows])
    scores = torch.softmax(net(normalise_patches(torch.from_numpy(patches), CARD)), 1)[:, 1].numpy()
    labels = np.array([int(row["label"]) for row in rows])
    images = np.array([row["image"] for row in rows])
    means = [(labels[images == name][0], scores[images == name].mean()) for name in np.unique(images)]
    whole = roc_auc_score(*zip(*means, strict=True))
    return {
        "ucsb_patches": len(rows), "ucsb_patch_auc": round(float(roc_auc_score(labels, scores)), 4),
        "ucsb_photographs": len(means), "ucsb_photograph_auc": round(float(whole), 4),
    }  # fmt: skip


if __name__ == "__main__":
    main()
