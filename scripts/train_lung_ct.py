"""Train ``lungs-ct-unet3d`` and write its bundle.

    python scripts/train_lung_ct.py REAL_FOLDER -o napari_medpatch/models/weights/lungs-ct-unet3d

``--without CIP_10002K LIDC-IDRI-0001`` keeps scans out of the training, so that the scores printed for them are scores
on unseen data. On a GPU, ``--device cuda --workers N --batch 8`` and ``--seconds`` instead of steps.
"""

import argparse
import copy
import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from lung_augment import PATCHES, random_patch
from lung_cases import SCANS, SPACING_MM, Case, read_scan, real, resample, simulated
from numpy.typing import NDArray
from torch import nn
from training_loop import fit, kept_readme, soft_segmentation_loss

from napari_medpatch.models.bundle import load_bundle, save_bundle
from napari_medpatch.models.card import ModelCard
from napari_medpatch.models.preprocess import normalise_volume
from napari_medpatch.models.unet import UNetConfig, build_unet

CARD = ModelCard(
    name="lungs-ct-unet3d",
    task="segment-3d",
    architecture="unet",
    class_names=("background", "lung"),
    spacing=(SPACING_MM,) * 3,
    spacing_unit="mm",
    in_channels=1,
    intensity={"kind": "hu_window", "low": -1000.0, "high": 400.0},
    network={"levels": 4, "channels": 16, "convs": 2, "norm": "batch"},
    postprocess={"air_edge_hu": -450.0, "min_component_ml": 7.5, "fill_holes": True},
    licence="BSD-3-Clause",
)


def main() -> None:
    """Train, save the bundle and the scores measured on the way."""
    arguments = _arguments()
    torch.manual_seed(arguments.seed)
    torch.backends.cudnn.benchmark = True
    device = torch.device(arguments.device)
    # Processes that draw do so on the CPU; a thread does where the network is.
    drawing = torch.device("cpu") if arguments.workers else device
    patients = simulated(arguments.patients, arguments.seed, arguments.workers or os.cpu_count() or 1)
    print(f"{len(patients)} patients simulated", flush=True)
    cases = patients + real(arguments.folder, float(len(patients)), arguments.without)
    if arguments.start:
        net = load_bundle(arguments.start).load().requires_grad_(True)
    else:
        net = build_unet(UNetConfig(dimensions=3, in_channels=1, num_classes=2, **CARD.network))
    scores: dict[str, float] = {}
    measure = _measuring(arguments.folder, scores)

    def report(step: int, averaged: nn.Module) -> None:
        measure(averaged)
        print(f"step {step}: {scores}", flush=True)
        _save(averaged, scores, step, arguments)

    fit(
        net.to(device), _draw(cases, arguments.batch, drawing), soft_segmentation_loss, steps=arguments.steps,
        rate=arguments.rate, seed=arguments.seed, decay=arguments.decay, freeze_norm_at=0.3 if arguments.start else 0.5,
        seconds=arguments.seconds, workers=arguments.workers, report=report, report_every=arguments.report_every,
    )  # fmt: skip
    print(json.dumps(scores, indent=2))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="holds the real scans, see lung_cases.SCANS")
    parser.add_argument("-o", "--output", type=Path, required=True, help="bundle folder to write")
    parser.add_argument("--start", type=Path, help="go on from this bundle")
    parser.add_argument("--without", nargs="*", default=(), choices=[scan.name for scan in SCANS])
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--workers", type=int, default=0, help="processes that draw patches")
    parser.add_argument("--batch", type=int, default=2)
    parser.add_argument("--steps", type=int, default=1900)
    parser.add_argument("--seconds", type=float, help="follow the clock; --steps is then the most")
    parser.add_argument("--decay", type=float, default=0.99, help="of the running average of the weights")
    parser.add_argument("--patients", type=int, default=70)
    parser.add_argument("--rate", type=float, default=4e-3)
    parser.add_argument("--report-every", type=int, default=300)
    parser.add_argument("--seed", type=int, default=20)
    return parser.parse_args()


def _save(net: nn.Module, scores: dict[str, float], step: int, arguments: argparse.Namespace) -> None:
    used = [scan.name for scan in SCANS if scan.name not in arguments.without]
    training = {
        "script": "scripts/train_lung_ct.py", "data": ["simulated chests", *used], "steps": step,
        "batch": arguments.batch, "patients": arguments.patients, "seed": arguments.seed,
    }  # fmt: skip
    card = replace(CARD, metrics=dict(scores), training=training)
    save_bundle(arguments.output, card, copy.deepcopy(net).cpu(), readme=kept_readme(arguments.output), half=True)


def _draw(
    cases: list[Case], batch: int, device: torch.device
) -> Callable[[np.random.Generator], tuple[torch.Tensor, torch.Tensor]]:
    """Return what makes batches on the device, where the scans are kept."""
    chances = np.array([case.weight for case in cases])
    chances = chances / chances.sum()
    scans = [(torch.from_numpy(case.hu).to(device), torch.from_numpy(case.share).to(device)) for case in cases]

    def draw(rng: np.random.Generator) -> tuple[torch.Tensor, torch.Tensor]:
        shape = PATCHES[int(rng.integers(len(PATCHES)))]
        chosen = rng.choice(len(cases), batch, p=chances)
        patches, shares = zip(*(random_patch(*scans[int(index)], shape, rng) for index in chosen), strict=True)
        low, high = CARD.intensity["low"], CARD.intensity["high"]
        inputs = ((torch.stack(patches) - low) / (high - low)).clamp(0, 1)
        return inputs[:, None], torch.stack(shares)

    return draw


def _measuring(folder: Path, scores: dict[str, float]) -> Callable[[nn.Module], None]:
    """Return what measures the Dice of the two complete chests, seen or not."""
    chests = [
        (scan.name, *read_scan(folder / scan.image), read_scan(folder / scan.lungs)[0] > 0)
        for scan in SCANS
        if scan.name in ("CIP_10002K", "LIDC-IDRI-0001") and scan.lungs is not None
    ]

    def measure(net: nn.Module) -> None:
        for name, hu, spacing, lungs in chests:
            found = predict(net, hu, spacing) > 0.5
            scores[f"dice_{name}"] = round(float(2 * (found & lungs).sum() / (found.sum() + lungs.sum())), 4)

    return measure


@torch.no_grad()
def predict(net: nn.Module, hu: NDArray[np.float32], spacing: tuple[float, float, float]) -> NDArray[np.float32]:
    """Return the probability of lung on the volume's own grid (plain: the job in ``infer`` does the same in tiles)."""
    device = next(net.parameters()).device
    coarse = normalise_volume(resample(hu, spacing), CARD)
    padded = np.pad(coarse, [(0, -n % 8) for n in coarse.shape])
    logits = net(torch.from_numpy(padded)[None, None].to(device))
    probability = torch.softmax(logits, 1)[:, 1:, : coarse.shape[0], : coarse.shape[1], : coarse.shape[2]]
    fine = nn.functional.interpolate(probability, size=hu.shape, mode="trilinear", align_corners=False)
    result: NDArray[np.float32] = fine[0, 0].cpu().numpy()
    return result


if __name__ == "__main__":
    main()
