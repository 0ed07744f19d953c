"""Chest CTs with a lung mask: real ones, simulated ones, and both changed by disease or by the scanner."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from napari_medpatch.io.array_source import ArraySource
from napari_medpatch.io.detect import open_source
from napari_medpatch.io.labels_file import read_labels
from napari_medpatch.io.source import Source
from napari_medpatch.samples import make_thorax
from napari_medpatch.samples.shapes import smooth_noise

Bools = NDArray[np.bool_]
Volume = NDArray[np.float32]
Spacing = tuple[float, ...]

_LOBES = (10, 14)
"""TotalSegmentator's numbers of the five lobes."""


@dataclass(frozen=True, slots=True)
class Case:
    """A volume and its lungs.

    Parameters
    ----------
    name : str
        For the table.
    source : Source
        The volume.
    lungs : ndarray or None
        ``(Z, Y, X)`` bool; None where nobody knows.
    """

    name: str
    source: Source
    lungs: Bools | None


def real_cases(folder: Path) -> Iterator[Case]:
    """Yield the real volumes of the folder beside the checkout."""
    ct = folder / "ct"
    source = open_source(ct / "LIDC-IDRI-0001_ct_256.nii.gz")
    yield Case("LIDC-IDRI-0001", source, read_labels(ct / "LIDC-IDRI-0001_lungs_derived_256.nii.gz", source) > 0)
    source = open_source(ct / "CIP_10002K_ct-64.nii.gz")
    yield Case("CIP 10002K, COPD, 4 mm", source, read_labels(ct / "CIP_10002K_lungs-64.nii.gz", source) > 0)
    source = open_source(ct / "totalseg_example_ct_sm.nii.gz")
    organs = read_labels(ct / "totalseg_example_seg.nii.gz", source)
    yield Case("TotalSegmentator example, bases", source, (organs >= _LOBES[0]) & (organs <= _LOBES[1]))
    yield Case("TotalSegmentator example, trunk", open_source(ct / "totalseg_example_ct.nii.gz"), None)
    yield Case("IBSI, cropped, tumour", open_source(ct / "IBSI_ct_phantom.nii.gz"), None)
    for name, file in (("STS_001, thigh", _THIGH), ("CT_AVM, head", _HEAD)):
        source = open_source(folder / file)
        yield Case(name, source, np.zeros(source.levels[0].shape, bool))


def simulated_cases(seeds: int) -> Iterator[Case]:
    """Yield phantoms, each healthy and with every change."""
    for seed in range(seeds):
        thorax = make_thorax((96, 150, 170), spacing=(3.5, 2.5, 2.5), seed=500 + seed)
        hu, spacing = thorax.hu.astype(np.float32), (3.5, 2.5, 2.5)
        yield Case(f"phantom {seed}", _source(hu, spacing), thorax.lungs)
        yield from changed(f"phantom {seed}", hu, thorax.lungs, spacing, seed)


def changed(name: str, hu: Volume, lungs: Bools, spacing: Spacing, seed: int = 0) -> Iterator[Case]:
    """Yield a volume changed by disease, and by how it was scanned."""
    rng = np.random.default_rng(seed)
    for what, change in _DISEASES.items():
        values, mask = change(hu.copy(), lungs.copy(), spacing, rng)
        yield Case(f"{name}, {what}", _source(values, spacing), mask)
    for what, (values, mask) in _scanned(hu, lungs, rng).items():
        yield Case(f"{name}, {what}", _source(values, spacing), mask)


def consolidation(hu: Volume, lungs: Bools, spacing: Spacing, rng: np.random.Generator) -> tuple[Volume, Bools]:
    """Fill the lower back of the right lung, with its pleura; it stays lung."""
    z, y, x = _places(lungs)
    part = lungs & (x < np.median(x[lungs])) & (z < np.quantile(z[lungs], 0.45)) & (y > np.quantile(y[lungs], 0.6))
    return _filled(hu, part, rng.normal(35, 15, hu.shape), spacing), lungs


def effusion(hu: Volume, lungs: Bools, spacing: Spacing, rng: np.random.Generator) -> tuple[Volume, Bools]:
    """Let fluid fill the back of the left lung of a patient on the back; it is no longer lung."""
    _, y, x = _places(lungs)
    fluid = lungs & (x > np.median(x[lungs])) & (y > np.quantile(y[lungs], 0.7))
    return _filled(hu, fluid, rng.normal(10, 12, hu.shape), spacing), lungs & ~fluid


def tumour(hu: Volume, lungs: Bools, spacing: Spacing, rng: np.random.Generator) -> tuple[Volume, Bools]:
    """Put a ball of 7 cm against the wall of the left lung; it stays lung."""
    z, y, x = _places(lungs)
    left = lungs & (x > np.median(x[lungs]))
    edge = np.quantile(x[left], 0.9)
    middle = (np.median(z[left]), np.median(y[left]), edge)
    distance = sum(((p - m) * s) ** 2 for p, m, s in zip((z, y, x), middle, spacing, strict=True))
    return _filled(hu, lungs & (distance < 35**2), rng.normal(45, 15, hu.shape), spacing), lungs


def emphysema(hu: Volume, lungs: Bools, spacing: Spacing, rng: np.random.Generator) -> tuple[Volume, Bools]:
    """Make half of the lungs as dark as air."""
    noise = smooth_noise(hu.shape, 15 / min(spacing), rng)
    part = lungs & (noise > np.median(noise[lungs])) & (hu < -700)
    return _filled(hu, part, rng.normal(-985, 15, hu.shape), spacing), lungs


def _scanned(hu: Volume, lungs: Bools, rng: np.random.Generator) -> dict[str, tuple[Volume, Bools]]:
    """Return a volume as other protocols, fields of view and postures show it."""
    depth, height, width = hu.shape
    noisy = hu + rng.normal(0, 80, hu.shape).astype(np.float32)
    middle = slice(depth // 3, depth // 3 + max(12, depth // 5))
    y, x = np.mgrid[:height, :width]
    disc = np.hypot(y - height / 2, x - width / 2) < 0.36 * min(height, width)
    window = (slice(None), slice(int(0.22 * height), int(0.7 * height)), slice(int(0.2 * width), int(0.55 * width)))
    return {
        "noise of 80 HU": (noisy, lungs),
        "face down": (hu[:, ::-1, ::-1].copy(), lungs[:, ::-1, ::-1].copy()),
        "upper half": (hu[depth // 2 :], lungs[depth // 2 :]),
        "lower half": (hu[: depth // 2], lungs[: depth // 2]),
        "a few slices": (hu[middle], lungs[middle]),
        "slices three times as thick": (_thick(hu, 3), lungs),
        "narrow round field, padded -2000": (np.where(disc, hu, np.float32(-2000)), lungs & disc),
        "narrow square field": (hu[window], lungs[window]),
        "60 HU too dark": (hu - np.float32(60), lungs),
    }


_DISEASES = {
    "consolidation": consolidation,
    "effusion": effusion,
    "tumour of 7 cm": tumour,
    "emphysema": emphysema,
}
_THIGH = Path("ct/STS_001_ct_image.nii.gz")
_HEAD = Path("odd/nifti/CT_AVM.nii.gz")


def _places(lungs: Bools) -> tuple[NDArray[np.float64], ...]:
    return tuple(
        np.broadcast_to(axis, lungs.shape).astype(np.float64) for axis in np.ogrid[tuple(map(slice, lungs.shape))]
    )


def _filled(hu: Volume, part: Bools, values: NDArray[np.float64], spacing: Spacing) -> Volume:
    """Blend values into a part, with an edge of about 2 mm."""
    share = gaussian_filter(part.astype(np.float32), [1.0 / edge for edge in spacing])
    return np.asarray(hu + share * (gaussian_filter(values, 0.5) - hu), np.float32)


def _thick(hu: Volume, times: int) -> Volume:
    kernel = np.ones(times, np.float32) / times
    return np.apply_along_axis(lambda line: np.convolve(np.pad(line, times // 2, "edge"), kernel, "valid"), 0, hu)


def _source(hu: Volume, spacing: Spacing) -> ArraySource:
    return ArraySource(np.clip(np.rint(hu), -3024, 3071).astype(np.int16), "volume", spacing=spacing)
