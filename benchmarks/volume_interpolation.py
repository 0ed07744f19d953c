"""Interpolation between painted slices on real volumes with truth: how well, how fast.

    python benchmarks/volume_interpolation.py ../shared/real [--every 3 5 10]

Every n-th axial slice is labelled whole; IoU is the mean over classes on the unlabelled voxels between the first and
the last of them. Seconds are processor time. Prints a Markdown table.
"""

import argparse
import time
from pathlib import Path

import numpy as np

from napari_medpatch import SparseLabels, open_source, run
from napari_medpatch.annotate.interpolate import InterpolateSettings, interpolate
from napari_medpatch.io.labels_file import read_labels

CASES = {
    "lung tumour (IBSI phantom)": ("IBSI_ct_phantom.nii.gz", "IBSI_ct_phantom_gtv.nii.gz"),
    "sarcoma (STS_001)": ("STS_001_ct_image.nii.gz", "STS_001_ct_mask.nii.gz"),
    "two lungs at 4 mm (CIP 10002K)": ("CIP_10002K_ct-64.nii.gz", "CIP_10002K_lungs-64.nii.gz"),
    "lungs (LIDC-IDRI-0001, derived)": ("LIDC-IDRI-0001_ct_256.nii.gz", "LIDC-IDRI-0001_lungs_derived_256.nii.gz"),
    "nodule (LIDC-IDRI-0001, 2 votes)": ("LIDC-IDRI-0001_ct_256.nii.gz", "LIDC-IDRI-0001_nodule_votes_256.nii.gz"),
    "organs at 3 mm (TotalSegmentator, machine)": ("totalseg_example_ct_sm.nii.gz", "totalseg_example_seg.nii.gz"),
}
_LEAST_VOXELS = 2000


def main() -> None:
    """Measure each case and print its rows."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="the real images")
    parser.add_argument("--every", type=int, nargs="+", default=[3, 5, 10], help="distances of labelled slices")
    arguments = parser.parse_args()
    print("| structure | every | slices | shape: IoU | s | image: IoU | s |\n|---|---|---|---|---|---|---|")
    for name, (image, mask) in CASES.items():
        source = open_source(arguments.folder / "ct" / image)
        truth = classes(read_labels(arguments.folder / "ct" / mask, source), votes="votes" in mask)
        for every in arguments.every:
            slices = labelled(truth, every)
            if len(slices) > 2:
                cells = [cell for method in ("shape", "walker") for cell in measured(source, truth, slices, method)]
                print(f"| {name} | {every} | {len(slices)} | {' | '.join(cells)} |", flush=True)


def classes(mask: np.ndarray, *, votes: bool) -> np.ndarray:
    """Return truth with the values 1, 2, …; small organs are left out."""
    if votes:
        return (mask >= 2).astype(np.uint8)
    result = np.zeros_like(mask)
    counts = np.bincount(mask.reshape(-1))
    large = [v for v in range(1, len(counts)) if counts[v] > (_LEAST_VOXELS if (counts[1:] > 0).sum() > 2 else 0)]
    for value, old in enumerate(large, start=1):
        result[mask == old] = value
    return result


def labelled(truth: np.ndarray, every: int) -> list[int]:
    """Return every n-th slice from just before the structure to just after it."""
    used = np.flatnonzero(truth.any(axis=(1, 2)))
    return list(range(max(0, used[0] - every // 2 - 1), min(len(truth), used[-1] + every + 1), every))


def measured(source: object, truth: np.ndarray, slices: list[int], method: str) -> tuple[str, str]:
    """Return IoU and seconds."""
    labels = SparseLabels.from_mask(truth, slices, ("background", *map(str, range(1, int(truth.max()) + 1))))
    began = time.process_time()
    result = run(interpolate(source, labels, InterpolateSettings(axis=0, method=method)))
    seconds = time.process_time() - began
    rest = [index for index in range(slices[0], slices[-1]) if index not in slices]
    found, wanted = np.maximum(result.labels[rest], 1) - 1, truth[rest]
    present = [value for value in range(1, int(truth.max()) + 1) if (wanted == value).any()]
    scores = [((found == v) & (wanted == v)).sum() / ((found == v) | (wanted == v)).sum() for v in present]
    return f"{np.mean(scores):.3f}", f"{seconds:.1f}"


if __name__ == "__main__":
    main()
