"""The same TorchScript network over the same patches of a slide: ours against WSInfer's way, from file to scores.

    python benchmarks/slide_end_to_end.py [SLIDE] [--models resnet18 resnet34] [--patches N]

Ours includes opening, the result's map and all events, but no tissue search and no files, which the other way
has not either. Both may use every core. WSInfer's way is one process without workers, batches of 32, the network as
it is stored. "Network alone" is ours on patches that are in memory: what remains is reading. Without SLIDE it takes
a simulated one at 0.25 µm per pixel.
"""

import argparse
import tempfile
from contextlib import closing
from pathlib import Path

import numpy as np
import openslide  # noqa: F401 - loaded before the clocks start
from slide_work import Cost, everywhere, grid_of, header, least, timed, wsinfer_scores, zoo_bundle

from napari_medpatch.events import run
from napari_medpatch.infer.classify import ClassifySettings, classify
from napari_medpatch.infer.patch_scorer import PatchScorer
from napari_medpatch.io.detect import open_source
from napari_medpatch.io.tile_cache import TileCache
from napari_medpatch.models.bundle import Bundle
from napari_medpatch.patches.roi import Region
from napari_medpatch.samples.huge_slide import make_huge_slide

_SPACINGS = ((0.25, 350), (0.5, 350), (1.0, 350), (1.5, 350), (1.0, 224))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("slide", type=Path, nargs="?")
    parser.add_argument("--models", nargs="+", default=["resnet18", "resnet34"])
    parser.add_argument("--patches", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=2)
    arguments = parser.parse_args()
    columns = (
        "model | µm per pixel | patch | patches | ours, ms | WSInfer's way, ms | ratio | of processor time | "
        "network alone, ms"
    )
    header("End to end", columns)
    with tempfile.TemporaryDirectory() as folder:
        path = arguments.slide or _simulated(Path(folder))
        for model in arguments.models:
            for spacing, pixels in _SPACINGS:
                bundle = zoo_bundle(Path(folder) / f"{model}-{spacing}-{pixels}", model, pixels=pixels, spacing=spacing)
                _row(path, bundle, arguments.patches, arguments.rounds)


def _simulated(folder: Path) -> Path:
    path = folder / "simulated.tif"
    make_huge_slide(path, (24_000, 24_000), tissue="block", tissue_share=0.98, mpp=0.25)
    return path


def _row(path: Path, bundle: Bundle, most: int, rounds: int) -> None:
    boxes = _square(grid_of(path, bundle).boxes(), most)
    count = len(boxes)
    ours = least(timed(lambda: _ours(path, bundle, boxes)) for _ in range(rounds))
    theirs = least(timed(lambda: wsinfer_scores(path, boxes, bundle)) for _ in range(rounds))
    alone = least(_network(bundle, count) for _ in range(rounds))
    card = bundle.card
    cells = [
        card.architecture, f"{card.spacing_um_px:g}", f"{card.patch_size_pixels} px", str(count),
        f"{ours.wall / count * 1e3:.1f}", f"{theirs.wall / count * 1e3:.1f}", f"{theirs.wall / ours.wall:.1f}×",
        f"{theirs.cpu / ours.cpu:.1f}×", f"{alone.wall / count * 1e3:.1f}",
    ]  # fmt: skip
    print(f"| {' | '.join(cells)} |", flush=True)


def _square(boxes: np.ndarray, most: int) -> np.ndarray:
    """Keep the patches of a square in the slide's corner, at most ``most``."""
    size = (boxes[0, 2:] - boxes[0, :2]) * int(most**0.5)
    return boxes[(boxes[:, 2:] <= size).all(axis=1)]


def _ours(path: Path, bundle: Bundle, boxes: np.ndarray) -> None:
    bottom, right = boxes[:, 2:].max(axis=0)
    corner = Region((np.array([[0, 0], [0, right], [bottom, right], [bottom, 0]], float),))
    with closing(open_source(path, cache=TileCache(256 << 20))) as source:
        tissue = everywhere(source.levels[0].shape)
        result = run(classify(source, bundle, ClassifySettings(), tissue=tissue, roi=corner))
    assert len(result.grid.cells) == len(boxes)


def _network(bundle: Bundle, count: int) -> Cost:
    """Score patches that are in memory already, at the network's size."""
    scorer = PatchScorer(bundle)
    pixels = np.random.default_rng(0).integers(0, 256, (count, *scorer.input_shape, 3), np.uint8)
    chunks = [np.arange(start, min(start + 4, count)) for start in range(0, count, 4)]
    with closing(scorer.feed(chunks, lambda index: pixels[index], threads=1)) as feed:
        return timed(lambda: list(scorer.stream(feed)))


if __name__ == "__main__":
    main()
