"""A process that runs a classification again and again in children, which are killed without warning.

It imports everything once and forks before torch has computed anything, so that a round takes a fraction of
a second. Called with a JSON file: slide, bundle, settings, folder and the rounds to make.
"""

import json
import os
import random
import signal
import sys
import time
from pathlib import Path
from typing import Any

import imagecodecs  # noqa: F401 - imported before the fork, not in every child
import numpy as np
import PIL.Image  # noqa: F401
import torch

import napari_medpatch.infer.score_store as score_store
from napari_medpatch.infer.classify import ClassifySettings, classify
from napari_medpatch.infer.patch_scorer import PatchScorer  # noqa: F401
from napari_medpatch.io.detect import open_source
from napari_medpatch.models.bundle import load_bundle
from napari_medpatch.patches.tissue import TissueMask


def main(plan: dict[str, Any]) -> None:
    rng = random.Random(plan["seed"])
    report = []
    for folder, kill in plan["rounds"]:
        before = stored(Path(folder))
        seconds, killed = in_child(plan, folder, kill, rng)
        report.append({"before": before, "seconds": seconds, "killed": killed, "after": stored(Path(folder))})
    Path(plan["report"]).write_text(json.dumps(report))


def in_child(plan: dict[str, Any], folder: str, kill: dict[str, Any], rng: random.Random) -> tuple[float, bool]:
    began = time.monotonic()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            work(plan, folder, kill)
            status = 0
        finally:
            os._exit(status)
    if "within" in kill:
        time.sleep(rng.uniform(0, kill["within"]))
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    if os.WIFEXITED(status) and os.WEXITSTATUS(status):
        raise SystemExit(f"a child failed in {folder}")
    return time.monotonic() - began, os.WIFSIGNALED(status)


def work(plan: dict[str, Any], folder: str, kill: dict[str, Any]) -> None:
    torch.set_num_threads(1)
    score_store._EVERY_SECONDS = 0.0
    if "at_replace" in kill:
        die_at_replace(kill["at_replace"])
    settings = ClassifySettings(**(plan["settings"] | kill.get("settings", {})))
    source = open_source(plan["slide"])
    everywhere = TissueMask(np.ones((1, 1), bool), tuple(float(n) for n in source.levels[0].shape))
    for _ in classify(source, load_bundle(plan["bundle"]), settings, out=folder, tissue=everywhere):
        pass


def die_at_replace(number: int) -> None:
    """Be killed just before (even numbers) or just after (odd ones) a file takes its final name."""
    real, count = os.replace, 0

    def replace(*names: Any) -> None:
        nonlocal count
        if number == 2 * count:
            os.kill(os.getpid(), signal.SIGKILL)
        real(*names)
        if number == 2 * count + 1:
            os.kill(os.getpid(), signal.SIGKILL)
        count += 1

    os.replace = replace


def stored(folder: Path) -> int:
    """Count the patches that a stopped run left."""
    cells = [np.load(path)["cells"] for path in folder.glob("*.parts/part-*.npz")]
    return len(np.unique(np.concatenate(cells), axis=0)) if cells else 0


if __name__ == "__main__":
    main(json.loads(Path(sys.argv[1]).read_text()))
