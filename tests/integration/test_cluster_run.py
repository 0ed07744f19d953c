"""Slides on a real dask cluster of two worker processes, one of which is killed at work."""

import json
import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import torch

from napari_medpatch.cohort.many import classify_many
from napari_medpatch.events import Noted, SlideProgress, run
from napari_medpatch.infer.classify import ClassifySettings

distributed = pytest.importorskip("distributed")
CPU = ClassifySettings(device="cpu", batch_size=4)
CONFIG = {
    "spec_version": "1.0",
    "architecture": "mean-colour",
    "num_classes": 2,
    "class_names": ["other", "tumour"],
    "patch_size_pixels": 32,
    "spacing_um_px": 0.5,
    "transform": [
        {"name": "Resize", "arguments": {"size": 32}},
        {"name": "ToTensor"},
        {"name": "Normalize", "arguments": {"mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5]}},
    ],
}


class Mean(torch.nn.Module):
    """Mean red and green."""

    def forward(self, batch: torch.Tensor) -> torch.Tensor:
        return batch.mean(dim=(2, 3))[:, :2] * 4


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A TorchScript bundle and three slides: stained discs on glass."""
    place = tmp_path_factory.mktemp("cohort")
    (place / "mean").mkdir()
    (place / "mean" / "config.json").write_text(json.dumps(CONFIG))
    torch.jit.script(Mean()).save(str(place / "mean" / "torchscript_model.pt"))
    for seed, radius in enumerate((320, 90, 100)):
        _write_slide(place / f"slide{seed}.tiff", radius, seed)
    return place


def _write_slide(path: Path, radius: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    size = 2 * radius + 200
    y, x = np.mgrid[:size, :size] - size / 2
    disc = (y**2 + x**2 < radius**2)[..., None]
    stained = np.array([150, 70, 150]) + 60 * rng.random((size, size, 1))
    pixels = (np.where(disc, stained, 240) + rng.normal(0, 2, (size, size, 3))).clip(0, 255).astype(np.uint8)
    per_cm = (20000.0, 20000.0)
    tifffile.imwrite(path, pixels, tile=(128, 128), photometric="rgb", resolution=per_cm, resolutionunit="CENTIMETER")


@pytest.fixture(scope="module")
def client() -> Iterator[Any]:
    with (
        distributed.LocalCluster(
            n_workers=2,
            threads_per_worker=1,
            processes=True,
            dashboard_address="127.0.0.1:0",
            memory_limit=0,
            host="127.0.0.1",
        ) as cluster,
        distributed.Client(cluster, set_as_default=False) as connected,
    ):
        yield connected


def keep_scores_often() -> None:
    """On a worker: store scores at once, and take a while for it, so that there is time to kill it."""
    from napari_medpatch.infer import score_store

    add = score_store.ScoreStore.add

    def slowly(self: Any, *scores: Any) -> None:
        time.sleep(0.05)
        add(self, *scores)

    if score_store._EVERY_SECONDS == 0.0:
        return
    score_store._EVERY_SECONDS = 0.0
    score_store.ScoreStore.add = slowly  # type: ignore[method-assign]


def busy_threads(dask_worker: Any) -> int:
    """On a worker: how many tasks run."""
    return len(dask_worker.active_threads)


def _is_under_way(event: SlideProgress, out: Path) -> bool:
    """Whether the large slide has stored scores and is far from its end."""
    stored = list((out / "slide0.parts").glob("*.npz"))
    return bool(stored) and event.path.endswith("slide0.tiff") and event.patches < event.total / 2


def _files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.suffix != ".json"}


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_the_slide_of_a_killed_worker_goes_on_elsewhere(client: Any, folder: Path) -> None:
    slides = sorted(folder.glob("*.tiff"))
    client.run(keep_scores_often)
    processes = client.run(os.getpid)
    killed = ""
    said: list[str] = []
    for event in classify_many(slides, folder / "mean", CPU, folder / "cluster", scheduler=client):
        if isinstance(event, SlideProgress) and not killed and _is_under_way(event, folder / "cluster"):
            killed = event.worker
            os.kill(processes[killed], signal.SIGKILL)
        if isinstance(event, Noted):
            said.append(event.message)
        result = getattr(event, "result", None)
    assert killed
    assert [slide.state for slide in result.slides] == ["done"] * 3
    assert result.slides[0].worker != killed
    assert any("slide0.tiff goes on at" in message for message in said)
    assert result.slides[0].provenance["resumed"] > 0
    run(classify_many(slides, folder / "mean", CPU, folder / "local"))
    assert _files(folder / "cluster") == _files(folder / "local")


@pytest.mark.slow
def test_closing_stops_the_workers_and_keeps_the_scores(client: Any, folder: Path) -> None:
    # The worker that replaces a killed one starts without it.
    client.run(keep_scores_often)
    job = classify_many([folder / "slide0.tiff"], folder / "mean", CPU, folder / "stopped", scheduler=client)
    for event in job:
        if isinstance(event, SlideProgress) and event.patches:
            break
    began = time.monotonic()
    job.close()
    assert time.monotonic() - began < 1
    while any(client.run(busy_threads).values()) and time.monotonic() - began < 20:
        time.sleep(0.1)
    assert not any(client.run(busy_threads).values())
    assert [path.name for path in (folder / "stopped").iterdir()] == ["slide0.parts"]
    assert list((folder / "stopped" / "slide0.parts").glob("part-*.npz"))
