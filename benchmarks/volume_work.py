"""What the volume benchmarks share: a simulated chest of any size, U-Nets whose answer is not all background."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch

from napari_medpatch.io.array_source import ArraySource
from napari_medpatch.models.bundle import Bundle, save_bundle
from napari_medpatch.models.card import ModelCard
from napari_medpatch.models.network import build_network
from napari_medpatch.samples import make_thorax

_FIELD_MM = 360.0


def chest(shape: tuple[int, int, int], seed: int = 0) -> ArraySource:
    """Return a simulated chest CT with a field of view of 36 cm; slices are 1 mm apart."""
    coarse = tuple(max(8, n // 2) for n in shape)
    spacing = (2.0, 2 * _FIELD_MM / shape[1], 2 * _FIELD_MM / shape[2])
    thorax = make_thorax(coarse, spacing=spacing, seed=seed)
    hu = thorax.hu.repeat(2, 0).repeat(2, 1).repeat(2, 2)
    hu = np.pad(hu, [(0, max(0, n - m)) for n, m in zip(shape, hu.shape, strict=True)], mode="edge")
    noise = np.random.default_rng(seed)
    hu = hu[: shape[0], : shape[1], : shape[2]].astype(np.int16)
    for plane in hu:
        plane += noise.normal(0, 15, plane.shape).astype(np.int16)
    return ArraySource(hu, "volume", (1.0, spacing[1] / 2, spacing[2] / 2), path=f"chest-{shape[0]}")


def unet_bundle(folder: Path, *, levels: int = 3, channels: int = 16, spacing: float | None = None) -> Bundle:
    """Write a U-Net of random weights, whose normalisation and output are fitted to a simulated chest."""
    card = ModelCard(
        folder.name,
        "segment-3d",
        "unet",
        ("background", "thing"),
        spacing=(spacing,) * 3 if spacing else None,
        spacing_unit="mm" if spacing else None,
        in_channels=1,
        intensity={"kind": "hu_window", "low": -1000, "high": 400},
        network={"levels": levels, "channels": channels},
    )
    torch.manual_seed(0)
    model = build_network(card).train()
    hu = make_thorax((32, 64, 64), spacing=(4.0, 5.0, 5.0)).hu
    example = torch.from_numpy(((hu.astype(np.float32) + 1000) / 1400).clip(0, 1))[None, None]
    with torch.no_grad():
        for layer in model.modules():
            if isinstance(layer, torch.nn.BatchNorm3d):
                layer.momentum = 1.0
        model(example)
        logits = model.eval()(example)
        model.head.bias[1] -= (logits[:, 1] - logits[:, 0]).median()
    return save_bundle(folder, card, model)


def in_fresh_process(script: str, *arguments: object) -> dict[str, Any]:
    """Run a script with ``--once`` in a process of its own and return the JSON of its last line."""
    command = [sys.executable, script, "--once", *map(str, arguments)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result
