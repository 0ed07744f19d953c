"""Patches per second that reach a network, before it: decoding and resizing.

    python benchmarks/slide_feed.py [SLIDE ...] [--patches N]

Compares the feed with (a) WSInfer's way, OpenSlide per patch and PIL's resize in one process, and (b) the bare
decoding of the JPEG tiles under the patches, each once. Ratios are of processor time, of the least of some rounds,
so that other work on the machine drops out as far as it can. Without SLIDE it takes a simulated one.
"""

import argparse
import multiprocessing
import tempfile
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import openslide
import tifffile
from PIL import Image
from slide_work import Cost, grid_of, header, least, timed, wsinfer_patches, zoo_bundle

from napari_medpatch.infer.feed import PatchReader
from napari_medpatch.infer.patch_scorer import PatchScorer
from napari_medpatch.io.detect import open_source
from napari_medpatch.io.tile_cache import TileCache
from napari_medpatch.samples.huge_slide import make_huge_slide

_NETWORK = 224


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("slides", type=Path, nargs="*")
    parser.add_argument("--patches", type=int, default=600)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    columns = "slide | patch in pixels | patches | ours per core and second | ÷ WSInfer's way | of the decoding limit"
    header("Feed", columns)
    with tempfile.TemporaryDirectory() as folder:
        for path in arguments.slides or [_simulated(Path(folder))]:
            for pixels in (256, 350, 700):
                _row(path, pixels, Path(folder), arguments.patches, arguments.rounds)


def _simulated(folder: Path) -> Path:
    path = folder / "simulated.tif"
    make_huge_slide(path, (12_000, 12_000), tissue="block", tissue_share=0.98, mpp=0.25)
    return path


def _row(path: Path, pixels: int, folder: Path, most: int, rounds: int) -> None:
    """Measure patches of ``pixels`` level-0 pixels."""
    with closing(open_source(path)) as source:
        spacing = source.spacing.mean
    bundle = zoo_bundle(folder / f"{path.stem}-{pixels}", "test_resnet", pixels=pixels, spacing=spacing)
    boxes = grid_of(path, bundle).boxes()[:most]
    scorer = PatchScorer(bundle, device="cpu")
    ours = least(_ours(path, boxes, scorer) for _ in range(rounds))
    # In processes of their own: the feed changes how this one's memory is managed.
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as apart:
        theirs = least(apart.submit(_theirs, path, boxes).result() for _ in range(rounds))
        limit = apart.submit(_limit, path, boxes, rounds).result()
    share = f"{limit.cpu / ours.cpu:.0%}" if limit else "no JPEG tiles"
    rate = len(boxes) / ours.cpu
    print(
        f"| {path.name} | {pixels} | {len(boxes)} | {rate:.0f} | {theirs.cpu / ours.cpu:.1f}× | {share} |", flush=True
    )


def _ours(path: Path, boxes: np.ndarray, scorer: PatchScorer) -> Cost:
    """Feed patches from a slide that was just opened, nothing cached."""

    def read() -> None:
        reader = PatchReader(source, boxes, 0, black_outside=True, target=(_NETWORK, _NETWORK))
        with closing(scorer.feed(reader.chunks(), reader.load, threads=1)) as feed:
            assert sum(len(batch.pixels) for batch in feed) == len(boxes)

    with closing(open_source(path, cache=TileCache(64 << 20))) as source:
        return timed(read)


def _theirs(path: Path, boxes: np.ndarray) -> Cost:
    """Do the same with a fresh OpenSlide handle."""

    def read() -> None:
        for patch in wsinfer_patches(slide, boxes):
            np.asarray(patch.resize((_NETWORK, _NETWORK), Image.Resampling.BILINEAR))

    with closing(openslide.OpenSlide(str(path))) as slide:
        return timed(read)


def _limit(path: Path, boxes: np.ndarray, rounds: int) -> Cost | None:
    """Decode every JPEG tile under the patches once, and do nothing else; None if there are none."""
    with tifffile.TiffFile(path) as tif:
        page = tif.pages[0]
        if not page.is_tiled or int(page.compression) != 7:
            return None
        tiles = _tiles_under(boxes, page)
        data = {index: _bytes_at(tif, page, index) for index in tiles}

        def decode() -> None:
            for index, stored in data.items():
                page.decode(stored, index, jpegtables=page.jpegtables, jpegheader=page.jpegheader)

        decode()
        return least(timed(decode) for _ in range(rounds))


def _tiles_under(boxes: np.ndarray, page: Any) -> list[int]:
    columns, rows = -(-page.imagewidth // page.tilewidth), -(-page.imagelength // page.tilelength)
    found = set()
    for y0, x0, y1, x1 in boxes.tolist():
        for row in range(y0 // page.tilelength, min(rows, -(-y1 // page.tilelength))):
            for column in range(x0 // page.tilewidth, min(columns, -(-x1 // page.tilewidth))):
                found.add(row * columns + column)
    return sorted(found)


def _bytes_at(tif: Any, page: Any, index: int) -> bytes:
    tif.filehandle.seek(page.dataoffsets[index])
    return bytes(tif.filehandle.read(page.databytecounts[index]))


if __name__ == "__main__":
    main()
