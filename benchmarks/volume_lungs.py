"""How well the lung models find lungs: real scans, simulated ones, disease, and other ways of scanning.

    python benchmarks/volume_lungs.py [--real ../shared/real] [--models lungs-threshold,lungs-ct-unet3d]

Prints Dice against each volume's mask, or the volume found in ml where nobody knows the truth or there are no lungs,
and the seconds of the whole job at full resolution. The changed volumes show where each model fails.
"""

import argparse
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from volume_lung_cases import Case, changed, real_cases, simulated_cases

from napari_medpatch.events import run
from napari_medpatch.infer.segment import SegmentSettings, segment
from napari_medpatch.io.source import Source
from napari_medpatch.models.bundle import Bundle
from napari_medpatch.models.registry import resolve_model

_MODELS = "lungs-threshold,lungs-ct-unet3d"


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--real", type=Path, default=Path("../shared/real"), help="folder of the real scans")
    parser.add_argument("--models", default=_MODELS)
    parser.add_argument("--phantoms", type=int, default=2)
    arguments = parser.parse_args()
    bundles = [resolve_model(name) for name in arguments.models.split(",")]
    print("| volume | " + " | ".join(f"{bundle.card.name} | s" for bundle in bundles) + " |")
    print("|---|" + "---|---|" * len(bundles))
    for bundle in bundles:
        # Loading libraries is no part of the first row.
        _seconds(Case("", next(simulated_cases(1)).source, None), bundle)
    for case in _cases(arguments.real, arguments.phantoms):
        print(_row(case, bundles), flush=True)


def _cases(real: Path, phantoms: int) -> Iterator[Case]:
    if real.is_dir():
        for case in real_cases(real):
            yield case
            if case.lungs is not None and case.lungs.any() and case.name.startswith("LIDC"):
                hu = case.source.data.astype(np.float32)  # type: ignore[attr-defined]
                yield from changed("LIDC", hu, case.lungs, _spacing(case.source))
    else:
        print(f"No folder {real}: simulated scans only.")
    yield from simulated_cases(phantoms)


def _row(case: Case, bundles: Sequence[Bundle]) -> str:
    cells = []
    for bundle in bundles:
        seconds, found = _seconds(case, bundle)
        cells += [_score(case, found), f"{seconds:.1f}"]
    return f"| {case.name} | " + " | ".join(cells) + " |"


def _seconds(case: Case, bundle: Bundle) -> tuple[float, np.ndarray]:
    begun = time.perf_counter()
    result = run(segment(case.source, bundle, SegmentSettings(probabilities=False)))
    return time.perf_counter() - begun, result.mask > 0


def _score(case: Case, found: np.ndarray) -> str:
    if case.lungs is None or not case.lungs.any():
        return f"{found.sum() * np.prod(_spacing(case.source)) / 1000:,.0f} ml"
    return f"{2 * (found & case.lungs).sum() / (found.sum() + case.lungs.sum()):.3f}"


def _spacing(source: Source) -> tuple[float, ...]:
    return source.spacing.values if source.spacing is not None else (1.0, 1.0, 1.0)


if __name__ == "__main__":
    main()
