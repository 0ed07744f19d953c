"""Classify into a file system of a few kilobytes; called as root of a namespace of its own.

Says on stdout what happened: each round is ``done`` or the error's sentence, then how many patches were
resumed by the last one.
"""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np

import napari_medpatch.infer.score_store as score_store
from napari_medpatch.errors import OutputError
from napari_medpatch.events import run
from napari_medpatch.infer.classify import ClassifySettings, classify
from napari_medpatch.io.detect import open_source
from napari_medpatch.models.bundle import load_bundle
from napari_medpatch.patches.tissue import TissueMask


def main(slide: str, bundle: str, folder: str, free: int, whole: str) -> None:
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=512k", "none", folder], check=True)
    score_store._EVERY_SECONDS = -1.0
    rounds = [classified(slide, bundle, whole)]
    filler = Path(folder, "filler")
    filler.write_bytes(b"\0" * (512 * 1024 - free * 1024))
    rounds.append(classified(slide, bundle, folder))
    left = sorted(path.name for path in Path(folder).rglob("*") if path.name.startswith((".tmp", "slide.json")))
    filler.unlink()
    rounds.append(classified(slide, bundle, folder))
    resumed = json.loads(Path(folder, "slide.json").read_text())["resumed"]
    same = all(
        Path(folder, name).read_bytes() == Path(whole, name).read_bytes()
        for name in ("slide.csv", "slide.geojson", "slide.ome.tiff")
    )
    sys.stdout.write(json.dumps({"rounds": rounds, "resumed": resumed, "same": same, "left": left}))


def classified(slide: str, bundle: str, folder: str) -> str:
    source = open_source(slide)
    everywhere = TissueMask(np.ones((1, 1), bool), tuple(float(n) for n in source.levels[0].shape))
    settings = ClassifySettings(device="cpu", batch_size=32)
    try:
        run(classify(source, load_bundle(bundle), settings, out=folder, tissue=everywhere))
    except OutputError as error:
        return str(error)
    return "done"


if __name__ == "__main__":
    main(*sys.argv[1:4], int(sys.argv[4]), sys.argv[5])
