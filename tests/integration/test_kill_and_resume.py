"""A run that is killed at any moment and run again ends with the files of an unbroken one."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="rounds are forked")

EDGE, PATCH = 1024, 64
PATCHES = (EDGE // PATCH) ** 2


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Write a slide of 1024² pixels and a TorchScript classifier in the zoo's layout."""
    import tifffile
    import torch

    folder = tmp_path_factory.mktemp("inputs")
    pixels = np.random.default_rng(0).integers(0, 256, (EDGE, EDGE, 3), np.uint8)
    tifffile.imwrite(
        folder / "slide.tif", pixels, tile=(256, 256), photometric="rgb", compression="zlib",
        resolution=(20000, 20000), resolutionunit="CENTIMETER",
    )  # fmt: skip
    torch.manual_seed(0)
    layers = [torch.nn.Conv2d(3, 16, 7, stride=2), torch.nn.BatchNorm2d(16), torch.nn.ReLU()]
    layers += [torch.nn.Conv2d(16, 32, 5, stride=2), torch.nn.ReLU(), torch.nn.Dropout(0.3)]
    layers += [torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), torch.nn.Linear(32, 2)]
    bundle = folder / "bundle"
    bundle.mkdir()
    traced = torch.jit.trace(torch.nn.Sequential(*layers).eval(), torch.zeros(1, 3, PATCH, PATCH))
    torch.jit.save(traced, str(bundle / "torchscript_model.pt"))
    config = {
        "spec_version": "1.0", "architecture": "small", "num_classes": 2, "class_names": ["other", "tumour"],
        "patch_size_pixels": PATCH, "spacing_um_px": 0.5,
        "transform": [{"name": "ToTensor"}, {"name": "Normalize", "arguments": {"mean": [0.5] * 3, "std": [0.5] * 3}}],
    }  # fmt: skip
    (bundle / "config.json").write_text(json.dumps(config))
    return {"slide": str(folder / "slide.tif"), "bundle": str(bundle)}


Rounds = list[tuple[Path, dict[str, Any]]]
Play = Callable[[Rounds, dict[str, Any]], list[dict[str, Any]]]


@pytest.fixture
def play(inputs: dict[str, str], tmp_path: Path) -> Play:
    """Run rounds ``(folder, how to kill it)`` in forked children of one process."""

    def run(rounds: Rounds, settings: dict[str, Any]) -> list[dict[str, Any]]:
        plan = inputs | {
            "settings": {"device": "cpu", "batch_size": 32} | settings,
            "rounds": [(str(folder), kill) for folder, kill in rounds],
            "report": str(tmp_path / "report.json"),
            "seed": 0,
        }
        (tmp_path / "plan.json").write_text(json.dumps(plan))
        script = Path(__file__).with_name("kill_rounds.py")
        environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(__file__).parents[2])}
        done = subprocess.run(
            [sys.executable, str(script), str(tmp_path / "plan.json")],
            env=environment, capture_output=True, text=True, timeout=300, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr[-3000:]
        return json.loads((tmp_path / "report.json").read_text())

    return run


def _files(folder: Path) -> dict[str, bytes]:
    """Return every file, with what must differ between runs taken out of the record."""
    files = {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    record = json.loads(files["slide.json"])
    for key in ("started", "seconds", "resumed"):
        del record[key]
    return files | {"slide.json": json.dumps(record).encode()}


def _resumed(folder: Path) -> int:
    return json.loads((folder / "slide.json").read_text())["resumed"]


def test_killed_at_every_file_that_is_written(play, tmp_path) -> None:
    """Eight batches, a note of whose they are, four results: a kill before and after each of them."""
    numbers = range(2 * (1 + PATCHES // 32 + 4))
    rounds: Rounds = [(tmp_path / "whole", {})]
    for number in numbers:
        rounds += [(tmp_path / f"killed-{number}", {"at_replace": number}), (tmp_path / f"killed-{number}", {})]
    report = play(rounds, {})
    whole = _files(tmp_path / "whole")
    assert sorted(whole) == ["slide.csv", "slide.geojson", "slide.json", "slide.ome.tiff"]
    for number in numbers:
        killed, again = report[1 + 2 * number : 3 + 2 * number]
        assert killed["killed"], f"round {number} came to its end"
        assert _files(tmp_path / f"killed-{number}") == whole, f"killed at {number}"
        complete = number == numbers[-1]
        assert _resumed(tmp_path / f"killed-{number}") == (0 if complete else killed["after"])
        assert again["after"] == 0
    kept = [entry["after"] for entry in report[1::2]]
    assert kept[0] == 0
    assert max(kept) == PATCHES
    assert len(set(kept)) == PATCHES // 32 + 1


def test_killed_at_random_moments_with_augmentation(play, tmp_path) -> None:
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    settings = {"tta": 2, "compress": True, "seed": 3}
    (timed,) = play([(whole, {})], settings)
    # Far less than it takes, because a run that is let finish leaves nothing to kill; the first ones may be too early.
    within = {"within": 0.35 * timed["seconds"]}
    report = play([(broken, within)] * 8 + [(broken, {})], settings)
    assert sum(entry["killed"] for entry in report) >= 2
    counts = [entry["before"] for entry in report if entry["before"]]
    assert counts == sorted(counts), "scores were lost"
    assert _files(broken) == _files(whole)
    assert sorted(_files(whole)) == ["slide.csv", "slide.geojson.gz", "slide.json", "slide.ome.tiff"]


@pytest.mark.parametrize(
    ("change", "settings"),
    [({"batch_size": 7}, {}), ({"threads": 1}, {"mc_dropout": 2}), ({"batch_size": 0}, {"exact": True})],
)
def test_other_batches_and_threads_after_the_kill_change_nothing(play, tmp_path, change, settings) -> None:
    stopped = {"at_replace": 7}
    rounds = [(tmp_path / "whole", {}), (tmp_path / "broken", stopped), (tmp_path / "broken", {"settings": change})]
    _, killed, _ = play(rounds, settings)
    assert 0 < killed["after"] < PATCHES
    assert _resumed(tmp_path / "broken") == killed["after"]
    broken, whole = _files(tmp_path / "broken"), _files(tmp_path / "whole")
    for files in (broken, whole):
        record = json.loads(files.pop("slide.json"))
        assert record["batch_size"] == 32
    assert broken == whole


@pytest.mark.parametrize(("free_kb", "file"), [(12, "part-"), (96, "slide.")])
def test_full_disk_while_running_and_while_writing(inputs, tmp_path, free_kb, file) -> None:
    """A real one: a small file system in a namespace of its own. 12 KB take one batch, 96 KB all but the results."""
    apart = ["unshare", "--user", "--map-root-user", "--mount"]
    folders = [tmp_path / name for name in ("small", "whole")]
    for folder in folders:
        folder.mkdir()
    if shutil.which("unshare") is None or subprocess.run([*apart, "true"], check=False).returncode:
        pytest.skip("this system has no user namespaces")
    script = Path(__file__).with_name("full_disk.py")
    arguments = [inputs["slide"], inputs["bundle"], str(folders[0]), str(free_kb), str(folders[1])]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(
        [*apart, sys.executable, str(script), *arguments],
        env=environment, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    report = json.loads(done.stdout)
    whole, full, again = report["rounds"]
    assert (whole, again) == ("done", "done")
    assert full.startswith("The disk is full: ")
    assert f"/{file}" in full
    assert full.endswith("free some space and try again.")
    assert report["left"] == [], "half-written files, or a record of results that are not there"
    assert 0 < report["resumed"] <= PATCHES
    assert (report["resumed"] == PATCHES) == (file == "slide.")
    assert report["same"]
