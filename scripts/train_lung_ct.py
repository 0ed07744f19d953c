"""Train ``lungs-ct-unet3d`` and write its bundle.

    python scripts/train_lung_ct.py REAL_CT_FOLDER -o napari_medpatch/models/weights/lungs-ct-unet3d

The first part of the training sees no complete real chest, so that its score on the CIP scan is one on
unseen data; then that scan joins the training.
"""

import argparse
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from lung_augment import random_patch
from lung_cases import SPACING_MM, Case, real, resample, simulated
from numpy.typing import NDArray
from torch import nn
from training_loop import fit, kept_readme, soft_segmentation_loss

from napari_medpatch.models.bundle import load_bundle, save_bundle
from napari_medpatch.models.card import ModelCard
from napari_medpatch.models.preprocess import normalise_volume
from napari_medpatch.models.unet import UNetConfig, build_unet

BATCH = 2
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
    """Train in two parts, save the bundle and the scores measured on the way."""
    arguments = _arguments()
    torch.manual_seed(arguments.seed)
    net = build_unet(UNetConfig(dimensions=3, in_channels=1, num_classes=2, **CARD.network))
    patients = simulated(arguments.patients, arguments.seed)
    print(f"{len(patients)} patients simulated", flush=True)
    scores = {}
    parts = {"without_cip": 0.3, "with_cip": 0.7}
    if arguments.start:
        net, parts = load_bundle(arguments.start).load().requires_grad_(True), {"with_cip": 1.0}
    for part, share in parts.items():
        cases = patients + real(arguments.folder, with_cip=part == "with_cip")
        net = fit(
            net, _draw(cases), soft_segmentation_loss,
            steps=int(share * arguments.steps), rate=arguments.rate if part == "without_cip" else arguments.rate / 2,
            seed=arguments.seed + len(scores), freeze_norm_at=0.3 if part == "without_cip" else 0.0,
            report=_reporter(arguments.folder, scores, part), report_every=arguments.report_every,
        )  # fmt: skip
        card = replace(CARD, metrics=scores, training=_provenance(arguments))
        save_bundle(arguments.output, card, net, readme=kept_readme(arguments.output), half=True)
    print(json.dumps(scores, indent=2))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="folder of the real scans, see lung_cases.real")
    parser.add_argument("-o", "--output", type=Path, required=True, help="bundle folder to write")
    parser.add_argument("--start", type=Path, help="go on from this bundle, with all scans")
    parser.add_argument("--steps", type=int, default=1900)
    parser.add_argument("--patients", type=int, default=70)
    parser.add_argument("--rate", type=float, default=4e-3)
    parser.add_argument("--report-every", type=int, default=300)
    parser.add_argument("--seed", type=int, default=20)
    return parser.parse_args()


def _provenance(arguments: argparse.Namespace) -> dict[str, object]:
    return {
        "script": "scripts/train_lung_ct.py",
        "data": ["simulated chests", "CIP 10002K chest CT", "TotalSegmentator example_ct", "STS_001 thigh CT"],
        "steps": arguments.steps, "batch": BATCH, "patients": arguments.patients, "seed": arguments.seed,
    }  # fmt: skip


def _draw(cases: list[Case]) -> Callable[[np.random.Generator], tuple[torch.Tensor, torch.Tensor]]:
    chances = np.array([case.weight for case in cases])
    chances = chances / chances.sum()

    def draw(rng: np.random.Generator) -> tuple[torch.Tensor, torch.Tensor]:
        chosen = rng.choice(len(cases), BATCH, p=chances)
        patches, shares = zip(*(random_patch(cases[int(index)], rng) for index in chosen), strict=True)
        inputs = normalise_volume(np.stack(patches), CARD)
        return torch.from_numpy(inputs)[:, None], torch.from_numpy(np.stack(shares))

    return draw


def _reporter(folder: Path, scores: dict[str, float], part: str) -> Callable[[int, nn.Module], None]:
    """Return a callback that measures overlap on the CIP scan with its published labels."""
    import nibabel

    image = nibabel.as_closest_canonical(nibabel.load(folder / "CIP_10002K_ct-64.nii.gz"))
    truth = nibabel.as_closest_canonical(nibabel.load(folder / "CIP_10002K_lungs-64.nii.gz"))
    hu, lungs = (np.asarray(i.dataobj, np.float32)[::-1, ::-1].transpose(2, 1, 0) for i in (image, truth))
    spacing = tuple(float(size) for size in image.header.get_zooms()[2::-1])

    def report(step: int, net: nn.Module) -> None:
        found = predict(net, hu, (spacing[0], spacing[1], spacing[2])) > 0.5
        overlap = (found & (lungs > 0)).sum() / max(1, (found | (lungs > 0)).sum())
        scores[f"cip_iou_{part}"] = round(float(overlap), 4)
        print(f"part {part} step {step}: IoU on CIP {overlap:.4f}", flush=True)

    return report


@torch.no_grad()
def predict(net: nn.Module, hu: NDArray[np.float32], spacing: tuple[float, float, float]) -> NDArray[np.float32]:
    """Return the probability of lung on the volume's own grid (plain: the job in ``infer`` does the same in tiles)."""
    coarse = normalise_volume(resample(hu, spacing), CARD)
    padded = np.pad(coarse, [(0, -n % 8) for n in coarse.shape])
    logits = net(torch.from_numpy(padded)[None, None])[..., : coarse.shape[0], : coarse.shape[1], : coarse.shape[2]]
    probability = torch.softmax(logits, 1)[:, 1:]
    fine = nn.functional.interpolate(probability, size=hu.shape, mode="trilinear", align_corners=False)
    result: NDArray[np.float32] = fine[0, 0].numpy()
    return result


if __name__ == "__main__":
    main()
