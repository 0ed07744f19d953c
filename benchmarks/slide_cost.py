"""What classifying costs as slides grow: processor time against the area of tissue, and of glass.

    python benchmarks/slide_cost.py [--model resnet18]

First four slides whose tissue grows with them, then four with the same tissue on ever more glass. The whole job runs:
opening, tissue search, grid, scores and result files. A line is fitted to each set; ``R²`` says how straight it is.
"""

import argparse
import tempfile
from contextlib import closing
from pathlib import Path

import numpy as np
from slide_work import header, least, timed, zoo_bundle

from napari_medpatch.events import run
from napari_medpatch.infer.classify import ClassifySettings, classify
from napari_medpatch.io.detect import open_source
from napari_medpatch.io.tile_cache import TileCache
from napari_medpatch.models.bundle import Bundle
from napari_medpatch.samples.huge_slide import make_huge_slide

_MPP = 0.25
_SIDES = (12_000, 17_000, 24_000, 34_000)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="test_resnet")
    parser.add_argument("--rounds", type=int, default=2)
    arguments = parser.parse_args()
    header("Cost", "slide | slide, mm² | tissue, mm² | patches | processor seconds | ms per patch")
    with tempfile.TemporaryDirectory() as folder:
        bundle = zoo_bundle(Path(folder) / "model", arguments.model, pixels=350, spacing=_MPP)
        growing = [_row(Path(folder), bundle, side, 0.3, arguments.rounds) for side in _SIDES]
        glass = [_row(Path(folder), bundle, side, 0.6 * (_SIDES[0] / side) ** 2, arguments.rounds) for side in _SIDES]
    print(f"\nTissue grows: {_fit(growing)}. Glass grows: {glass[-1][1] / glass[0][1]:.2f}× the time for ", end="")
    print(f"{(_SIDES[-1] / _SIDES[0]) ** 2:.0f}× the slide.")


def _row(folder: Path, bundle: Bundle, side: int, share: float, rounds: int) -> tuple[float, float]:
    """Print one row; returns mm² of tissue and processor seconds."""
    area = (side * _MPP / 1000) ** 2
    slide = folder / f"{side}-{share:.3f}.tif"
    tissue = make_huge_slide(slide, (side, side), tissue_share=share, mpp=_MPP).tissue_share * area
    patches: list[int] = []

    def job() -> None:
        with closing(open_source(slide, cache=TileCache(256 << 20))) as source, tempfile.TemporaryDirectory() as out:
            patches.append(len(run(classify(source, bundle, ClassifySettings(), out=out)).grid.cells))

    cost = least(timed(job) for _ in range(rounds))
    slide.unlink()
    each = 1e3 * cost.cpu / patches[0]
    print(f"| {side:,}² | {area:.0f} | {tissue:.1f} | {patches[0]} | {cost.cpu:.1f} | {each:.1f} |", flush=True)
    return tissue, cost.cpu


def _fit(points: list[tuple[float, float]]) -> str:
    """Describe the straight line through points."""
    x, y = np.array(points).T
    slope, start = np.polyfit(x, y, 1)
    straight = np.corrcoef(x, y)[0, 1] ** 2
    return f"{start:.1f} s + {slope:.2f} s per mm², R² {straight:.4f}"


if __name__ == "__main__":
    main()
