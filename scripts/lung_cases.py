"""Where the lung model's training volumes come from: simulated patients and freely licensed real scans."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_medpatch.samples.thorax import paint_nodules, paint_table, render_thorax
from napari_medpatch.samples.thorax_anatomy import draw_anatomy

SPACING_MM = 4.0


@dataclass(frozen=True, slots=True)
class Case:
    """A volume at the working resolution, ``(Z, Y, X)``: HU, and the share of lung 0…1 (-1 unknown)."""

    hu: NDArray[np.float16]
    share: NDArray[np.float16]
    weight: float


def simulated(count: int, seed: int) -> list[Case]:
    """Simulate patients; one in four reaches from the hips to the head."""
    return [_patient(np.random.default_rng([seed, number]), tall=number % 4 == 0) for number in range(count)]


def _patient(rng: np.random.Generator, *, tall: bool) -> Case:
    anatomy = draw_anatomy(rng)
    shape = (150 if tall else 96, 88, 112)
    canvas, shares = render_thorax(anatomy, shape, (SPACING_MM,) * 3, rng)
    paint_nodules(canvas, shares, int(rng.integers(0, 5)), rng)
    if rng.random() < 0.8:
        paint_table(canvas, anatomy)
    return Case(canvas.hu.astype(np.float16), shares.lungs.astype(np.float16), 1.0)


def real(folder: Path, *, with_cip: bool) -> list[Case]:
    """Read the real scans whose licence allows it; see the model card for their sources.

    Parameters
    ----------
    folder : Path
        Holds CIP_10002K_ct-64.nii.gz and its lungs, totalseg_example_ct.nii.gz, totalseg_example_ct_sm.nii.gz
        with totalseg_example_seg.nii.gz, and STS_001_ct_image.nii.gz.
    with_cip : bool
        False keeps the one real, complete chest out, to measure on it.
    """
    thigh = _read(folder / "STS_001_ct_image.nii.gz")
    trunk = _read(folder / "totalseg_example_ct_sm.nii.gz")
    lobes = np.isin(_read(folder / "totalseg_example_seg.nii.gz")[0], (10, 11, 12, 13, 14))
    pelvis = _read(folder / "totalseg_example_ct.nii.gz")
    # Lung begins in the upper third of that scan, which the small volume with labels covers.
    low = pelvis[0][: int(0.6 * pelvis[0].shape[0])]
    cases = [
        _at_working_resolution(thigh[0], np.zeros_like(thigh[0]), thigh[1], 5.0),
        _at_working_resolution(trunk[0], lobes.astype(np.float32), trunk[1], 8.0),
        _at_working_resolution(low, np.zeros_like(low), pelvis[1], 6.0),
    ]
    if with_cip:
        hu, spacing = _read(folder / "CIP_10002K_ct-64.nii.gz")
        lungs = _read(folder / "CIP_10002K_lungs-64.nii.gz")[0] > 0
        cases.append(_at_working_resolution(hu, lungs.astype(np.float32), spacing, 30.0))
    return cases


def _read(path: Path) -> tuple[NDArray[np.float32], tuple[float, float, float]]:
    """Return a volume as ``(Z, Y, X)`` with y to the back and x to the patient's left, and its spacing."""
    import nibabel

    image = nibabel.as_closest_canonical(nibabel.load(path))
    data = np.asarray(image.dataobj, np.float32)[::-1, ::-1].transpose(2, 1, 0)
    x, y, z = (float(size) for size in image.header.get_zooms()[:3])
    return np.ascontiguousarray(data), (z, y, x)


def _at_working_resolution(
    hu: NDArray[np.float32], share: NDArray[np.float32], spacing: tuple[float, float, float], weight: float
) -> Case:
    return Case(
        resample(np.maximum(hu, -1024), spacing).astype(np.float16), resample(share, spacing).astype(np.float16), weight
    )


def resample(data: NDArray[np.float32], spacing: tuple[float, float, float]) -> NDArray[np.float32]:
    """Return the volume at the working resolution, smoothed first where that is coarser."""
    from scipy.ndimage import gaussian_filter, zoom

    factors = [size / SPACING_MM for size in spacing]
    sigma = [0.35 * max(0.0, 1 / factor**2 - 1) ** 0.5 for factor in factors]
    result: NDArray[np.float32] = zoom(gaussian_filter(data, sigma), factors, order=1, grid_mode=True, mode="nearest")
    return result
