"""Where the lung model's training volumes come from: simulated patients and freely licensed real scans."""

from collections.abc import Collection
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_medpatch.samples.thorax import paint_nodules, paint_table, render_thorax
from napari_medpatch.samples.thorax_anatomy import draw_anatomy

SPACING_MM = 4.0


@dataclass(frozen=True, slots=True)
class Case:
    """A volume at the working resolution, ``(Z, Y, X)``: HU, and the share of lung 0…1."""

    hu: NDArray[np.float16]
    share: NDArray[np.float16]
    weight: float


def simulated(count: int, seed: int, workers: int = 1) -> list[Case]:
    """Simulate patients; one in four reaches from the hips to the head."""
    with ProcessPoolExecutor(workers) as pool:
        return list(pool.map(_patient, [[seed, number] for number in range(count)]))


def _patient(seed: list[int]) -> Case:
    rng = np.random.default_rng(seed)
    anatomy = draw_anatomy(rng)
    shape = (150 if seed[-1] % 4 == 0 else 96, 88, 112)
    canvas, shares = render_thorax(anatomy, shape, (SPACING_MM,) * 3, rng)
    paint_nodules(canvas, shares, int(rng.integers(0, 5)), rng)
    if rng.random() < 0.8:
        paint_table(canvas, anatomy)
    return Case(canvas.hu.astype(np.float16), shares.lungs.astype(np.float16), 1.0)


def real(folder: Path, simulated_weight: float, without: Collection[str] = ()) -> list[Case]:
    """Read the real scans whose licence allows it; see the model card for their sources.

    Parameters
    ----------
    folder : Path
        Holds the folders ``ct`` and ``odd`` of scans.
    simulated_weight : float
        Weight of all simulated patients together; the real scans weigh as much as they do.
    without : collection of str
        Names of :data:`SCANS` to keep out, to measure on them.
    """
    share = simulated_weight / sum(scan.share for scan in SCANS)
    return [scan.read(folder, scan.share * share) for scan in SCANS if scan.name not in without]


@dataclass(frozen=True, slots=True)
class Scan:
    """One real scan and its lungs.

    Parameters
    ----------
    name, image : str
        Name, and file of HU.
    share : float
        How often it is drawn, against the other scans.
    lungs : str, optional
        File of labels; None where there is no lung.
    labels : tuple of int
        Those that are lung; any but 0 by default.
    lowest : float
        Part of the slices, from the feet on, that is used.
    """

    name: str
    image: str
    share: float
    lungs: str | None = None
    labels: tuple[int, ...] = ()
    lowest: float = 1.0

    def read(self, folder: Path, weight: float) -> Case:
        """Return the scan at the working resolution."""
        hu, spacing = read_scan(folder / self.image)
        lungs = np.zeros_like(hu)
        if self.lungs is not None:
            labels, _ = read_scan(folder / self.lungs)
            lungs = (np.isin(labels, self.labels) if self.labels else labels > 0).astype(np.float32)
        used = slice(0, round(self.lowest * len(hu)))
        hu, lungs = (resample(volume[used], spacing) for volume in (np.maximum(hu, -1024), lungs))
        return Case(hu.astype(np.float16), lungs.astype(np.float16), weight)


SCANS = (
    Scan("CIP_10002K", "ct/CIP_10002K_ct-64.nii.gz", 30.0, "ct/CIP_10002K_lungs-64.nii.gz"),
    Scan("LIDC-IDRI-0001", "ct/LIDC-IDRI-0001_ct_256.nii.gz", 30.0, "ct/LIDC-IDRI-0001_lungs_derived_256.nii.gz"),
    Scan(
        "TotalSegmentator bases", "ct/totalseg_example_ct_sm.nii.gz", 12.0, "ct/totalseg_example_seg.nii.gz",
        (10, 11, 12, 13, 14),
    ),
    # Lung begins in the upper third of that scan, which the small volume with labels covers.
    Scan("TotalSegmentator trunk", "ct/totalseg_example_ct.nii.gz", 6.0, lowest=0.6),
    Scan("STS_001", "ct/STS_001_ct_image.nii.gz", 5.0),
    Scan("CT_AVM", "odd/nifti/CT_AVM.nii.gz", 3.0),
)  # fmt: skip


def read_scan(path: Path) -> tuple[NDArray[np.float32], tuple[float, float, float]]:
    """Return a volume as ``(Z, Y, X)`` with y to the back and x to the patient's left, and its spacing."""
    import nibabel

    image = nibabel.as_closest_canonical(nibabel.load(path))
    data = np.asarray(image.dataobj, np.float32)[::-1, ::-1].transpose(2, 1, 0)
    x, y, z = (float(size) for size in image.header.get_zooms()[:3])
    return np.ascontiguousarray(data), (z, y, x)


def resample(data: NDArray[np.float32], spacing: tuple[float, float, float]) -> NDArray[np.float32]:
    """Return the volume at the working resolution, smoothed first where that is coarser."""
    from scipy.ndimage import gaussian_filter, zoom

    factors = [size / SPACING_MM for size in spacing]
    sigma = [0.35 * max(0.0, 1 / factor**2 - 1) ** 0.5 for factor in factors]
    result: NDArray[np.float32] = zoom(gaussian_filter(data, sigma), factors, order=1, grid_mode=True, mode="nearest")
    return result
