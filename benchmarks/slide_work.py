"""What the slide benchmarks share: the usual way (WSInfer's), untrained models as zoo bundles, clocks."""

import itertools
import json
import os
import sys
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from napari_medpatch.io.detect import open_source
from napari_medpatch.models.bundle import Bundle, load_bundle
from napari_medpatch.models.classifiers import build_classifier
from napari_medpatch.patches.grid import PatchGrid, make_grid
from napari_medpatch.patches.tissue import TissueMask

MEAN, STD = [0.7238, 0.5716, 0.6779], [0.112, 0.1459, 0.1089]


@dataclass(frozen=True)
class Cost:
    """Seconds of one piece of work: on the clock, and of the processor over all threads."""

    wall: float
    cpu: float


def least(costs: Iterable[Cost]) -> Cost:
    """Return the least wall time and the least processor time of several rounds: other work only adds to them."""
    all_costs = list(costs)
    return Cost(min(c.wall for c in all_costs), min(c.cpu for c in all_costs))


def timed(work: Callable[[], Any]) -> Cost:
    """Run once; the processor time is that of all threads."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return Cost(time.perf_counter() - wall, time.process_time() - cpu)


def peak_mb() -> float:
    """Return the most memory this process ever had, in MB, as Linux counts it."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))


def header(title: str, columns: str) -> None:
    """Print the head of a Markdown table, and on which machine it was measured."""
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else "no GPU"
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")
    sys.stderr.write(f"{title}: {os.cpu_count()} cores, {gpu}, load {load:.1f} at the start\n")
    print(f"| {columns} |\n|{'---|' * (columns.count('|') + 1)}")


def zoo_bundle(folder: Path, architecture: str, *, pixels: int, spacing: float, network: int = 224) -> Bundle:
    """Write an untrained network as the WSInfer zoo lays its bundles out: ``config.json`` and TorchScript."""
    warnings.filterwarnings("ignore", category=FutureWarning)
    warnings.filterwarnings("ignore", category=DeprecationWarning)
    torch.manual_seed(0)
    model = build_classifier(architecture, 2).train()
    with torch.no_grad():
        if any(isinstance(m, torch.nn.modules.batchnorm._BatchNorm) for m in model.modules()):
            for _ in range(4):
                model(torch.randn(8, 3, 96, 96))
        model.eval().requires_grad_(False)
        script = torch.jit.trace(model, torch.zeros(1, 3, network, network), check_trace=False)
    folder.mkdir(parents=True)
    config = {
        "spec_version": "1.0",
        "architecture": architecture,
        "num_classes": 2,
        "class_names": ["Other", "Tumor"],
        "patch_size_pixels": pixels,
        "spacing_um_px": spacing,
        "transform": [
            {"name": "Resize", "arguments": {"size": network}},
            {"name": "ToTensor"},
            {"name": "Normalize", "arguments": {"mean": MEAN, "std": STD}},
        ],
    }
    (folder / "config.json").write_text(json.dumps(config))
    script.save(str(folder / "torchscript_model.pt"))
    return load_bundle(folder)


def everywhere(shape: tuple[int, ...]) -> TissueMask:
    """Return a mask that takes the whole slide for tissue."""
    return TissueMask(np.ones((1, 1), bool), tuple(float(n) for n in shape[:2]))


def grid_of(path: Path, bundle: Bundle, tissue: TissueMask | None = None) -> PatchGrid:
    with closing(open_source(path)) as source:
        return make_grid(source, bundle.card, tissue or everywhere(source.levels[0].shape))


def wsinfer_patches(slide: Any, boxes: np.ndarray) -> Iterator[Image.Image]:
    """Read patches as WSInfer does: OpenSlide, level 0, one by one, column by column."""
    for y0, x0, y1, x1 in boxes[np.lexsort((boxes[:, 0], boxes[:, 1]))].tolist():
        yield slide.read_region((x0, y0), 0, (x1 - x0, y1 - y0)).convert("RGB")


def wsinfer_scores(path: Path, boxes: np.ndarray, bundle: Bundle, *, batch_size: int = 32) -> int:
    """Score patches as WSInfer does on a processor, in one process (``num_workers 0``); returns how many."""
    import openslide
    from torchvision import transforms

    edge = bundle.card.transform[0]["arguments"]["size"]
    transform = transforms.Compose(
        [transforms.Resize(edge), transforms.ToTensor(), transforms.Normalize(MEAN, STD)],
    )
    model = torch.jit.load(str(bundle.path / "torchscript_model.pt"), map_location="cpu").eval()
    done = 0
    with closing(openslide.OpenSlide(str(path))) as slide, torch.inference_mode():
        patches = wsinfer_patches(slide, boxes)
        while batch := [transform(patch) for patch in itertools.islice(patches, batch_size)]:
            done += len(model(torch.stack(batch)).softmax(dim=1).numpy())
    return done
