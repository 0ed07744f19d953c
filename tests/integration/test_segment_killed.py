"""``napari-medpatch segment`` killed without warning and run again ends with the file of an unbroken run."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest

pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="there is no SIGKILL on this system")

SHAPE = (96, 80, 72)
SLOWLY = """
import sys, time
import torch
torch.set_num_threads(1)
from napari_medpatch.cli import partial_mask
from napari_medpatch.cli.main import main
from napari_medpatch.infer import block_store, network_pass
from napari_medpatch.infer.network_stream import NetworkStream
block_store._EVERY_SECONDS = partial_mask._EVERY_SECONDS = -1.0
network_pass._ONCE_FLOATS, network_pass._SLAB_VOXELS = 0, 40_000
rows, pause = NetworkStream.rows, float(sys.argv[1])
def slow(self, *where):
    time.sleep(pause)
    return (yield from rows(self, *where))
NetworkStream.rows = slow
sys.exit(main(sys.argv[2:]))
"""
"""The command on a small volume as on a large one: a sweep in slabs, each of which takes a while."""


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Write a volume of coarse noise and a random network."""
    import torch

    from napari_medpatch.models.bundle import save_bundle
    from napari_medpatch.models.card import ModelCard
    from napari_medpatch.models.network import build_network

    folder = tmp_path_factory.mktemp("inputs")
    hu = np.random.default_rng(0).integers(-1000, 400, [n // 8 for n in SHAPE]).repeat(8, 0).repeat(8, 1).repeat(8, 2)
    nibabel.save(nibabel.Nifti1Image(hu.astype(np.int16).transpose(2, 1, 0), np.eye(4)), folder / "ct.nii.gz")
    card = ModelCard(
        "net", "segment-3d", "unet", ("background", "thing"), in_channels=1,
        intensity={"kind": "hu_window", "low": -1000, "high": 400}, network={"levels": 2, "channels": 4},
    )  # fmt: skip
    torch.manual_seed(3)
    model = build_network(card).eval()
    with torch.no_grad():
        logits = model(torch.from_numpy((hu[None, None].astype(np.float32) + 1000) / 1400))
        model.head.bias[1] -= (logits[:, 1] - logits[:, 0]).median()
    save_bundle(folder / "net", card, model)
    return {"ct": folder / "ct.nii.gz", "net": folder / "net"}


def begin(inputs: dict[str, Path], mask: Path, pause: float) -> subprocess.Popen[str]:
    arguments = ["segment", str(inputs["ct"]), "-m", str(inputs["net"]), "-o", str(mask), "--json", "--device", "cpu"]
    arguments += ["--probabilities", str(mask.with_name("p.nii.gz"))]
    return subprocess.Popen(
        [sys.executable, "-c", SLOWLY, str(pause), *arguments],
        env=os.environ | {"OMP_NUM_THREADS": "1"}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def wait_for(condition: Any) -> None:
    deadline = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < deadline, "the job never got there"
        time.sleep(0.02)


def finish(process: subprocess.Popen[str]) -> dict[str, Any]:
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err[-3000:]
    return json.loads(out) | {"stderr": err}


def arrays(mask: Path) -> tuple[np.ndarray, np.ndarray]:
    return tuple(np.asarray(nibabel.load(path).dataobj) for path in (mask, mask.with_name("p.nii.gz")))  # type: ignore[return-value]


def test_killed_twice_and_run_again_gives_the_same_files(inputs: dict[str, Path], tmp_path: Path) -> None:
    whole, mask = tmp_path / "whole" / "mask.nii.gz", tmp_path / "killed" / "mask.nii.gz"
    record = finish(begin(inputs, whole, 0.0))
    assert record["resumed_blocks"] == 0
    parts, partial = mask.with_name("mask.nii.gz.parts"), mask.with_name("partial-mask.nii.gz")
    for blocks in (3, 7):
        process = begin(inputs, mask, 0.15)
        wait_for(lambda wanted=blocks: len(list(parts.glob("block-*.npz"))) >= wanted)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        assert not mask.exists()
        found = np.asarray(nibabel.load(partial).dataobj)
        assert 0 < (found > 0).mean() < 1
    again = finish(begin(inputs, mask, 0.0))
    assert 7 <= again["resumed_blocks"] < again["blocks"]
    assert re.search(r"\d+ of \d+ blocks were finished by an earlier run", again["stderr"])
    for one, other in zip(arrays(whole), arrays(mask), strict=True):
        assert np.array_equal(one, other)
    assert sorted(path.name for path in mask.parent.iterdir()) == ["mask.nii.gz", "p.nii.gz"]


def test_terminated_leaves_a_partial_mask_and_its_blocks(inputs: dict[str, Path], tmp_path: Path) -> None:
    mask = tmp_path / "mask.nii.gz"
    parts = mask.with_name("mask.nii.gz.parts")
    process = begin(inputs, mask, 0.15)
    wait_for(lambda: len(list(parts.glob("block-*.npz"))) >= 2)
    process.terminate()
    process.communicate(timeout=60)
    assert process.returncode == 143
    assert mask.with_name("partial-mask.nii.gz").exists()
    assert list(parts.glob("block-*.npz"))
