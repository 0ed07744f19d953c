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
from napari_medpatch.models.preprocess import normalise_volume
from napari_medpatch.samples import make_thorax

_FIELD_MM = 360.0
_STEPS, _CUBE = 80, 48


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
    """Write a U-Net that was trained for half a minute to find the lungs of a simulated chest.

    Untrained networks are undecided everywhere, so that the last bit of a sum would change labels.
    """
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
    source = chest((96, 192, 192), seed=1)
    x = torch.from_numpy(normalise_volume(source.data, card))
    # What is dark inside the body: enough of a task for a network whose speed is measured.
    y = torch.from_numpy((source.data < -500) & _inside(source.data)).long()
    optimiser = torch.optim.Adam(model.parameters(), 3e-3)
    corners = np.random.default_rng(0)
    for _ in range(_STEPS):
        a, b, c = (int(corners.integers(0, n - _CUBE + 1)) for n in x.shape)
        where = (slice(a, a + _CUBE), slice(b, b + _CUBE), slice(c, c + _CUBE))
        loss = torch.nn.functional.cross_entropy(model(x[where][None, None]), y[where][None])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return save_bundle(folder, card, model.eval())


def _inside(hu: np.ndarray) -> np.ndarray:
    """Return what lies between tissue on both sides along rows, in every slice."""
    dense = hu > -300
    return np.maximum.accumulate(dense, axis=2) & np.maximum.accumulate(dense[..., ::-1], axis=2)[..., ::-1]


def in_fresh_process(script: str, *arguments: object) -> dict[str, Any]:
    """Run a script with ``--once`` in a process of its own and return the JSON of its last line."""
    command = [sys.executable, script, "--once", *map(str, arguments)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result
