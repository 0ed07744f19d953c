"""Random numbers that belong to a patch, not to the moment at which it is looked at.

A generator with a state would make a score depend on the order of patches, on the size of batches and on
where a stopped run went on. These numbers are hashes of *which* patch and *which* draw (a counter-based
generator in the sense of Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011), here with
the mixing function of SplitMix64 (Steele, Lea and Flood, OOPSLA 2014).
"""

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import torch

Keys = npt.NDArray[np.int64]

_GOLDEN = 0x9E3779B97F4A7C15
_MIX = (0xBF58476D1CE4E5B9, 0x94D049BB133111EB)


def patch_seeds(keys: Keys, *stream: int) -> npt.NDArray[np.uint64]:
    """Return one seed per patch.

    Parameters
    ----------
    keys : ndarray
        ``(N, 2) int64``, what identifies each patch.
    *stream : int
        What the numbers are for: the user's seed, the number of the view, …

    Returns
    -------
    ndarray
        ``(N,) uint64``.
    """
    state = np.zeros(len(keys), np.uint64)
    for part in (*stream, *np.asarray(keys, np.int64).T):
        state = _mixed(state + np.uint64(_GOLDEN) + np.asarray(part, np.int64).astype(np.uint64))
    return state


def uniforms(keys: Keys, count: int, *stream: int) -> npt.NDArray[np.float64]:
    """Return ``(N, count)`` numbers, 0 ≤ u < 1, for patches and a stream as in :func:`patch_seeds`."""
    steps = np.arange(1, count + 1, dtype=np.uint64) * np.uint64(_GOLDEN)
    bits = _mixed(patch_seeds(keys, *stream)[:, None] + steps)
    return (bits >> np.uint64(11)).astype(np.float64) / 2**53


def kept(seeds: "torch.Tensor", count: int, share: float) -> "torch.Tensor":
    """Choose elements at random on the seeds' device.

    Parameters
    ----------
    seeds : Tensor
        ``(N,) int64``, one per row, from :func:`patch_seeds`.
    count : int
        Elements per row.
    share : float
        Probability of keeping an element, 0…1.

    Returns
    -------
    Tensor
        ``(N, count) bool``.
    """
    import torch

    steps = torch.arange(1, count + 1, dtype=torch.int64, device=seeds.device) * _signed(_GOLDEN)
    bits = seeds[:, None] + steps
    for shift, factor in zip((30, 27), _MIX, strict=True):
        bits = (bits ^ _shifted(bits, shift)) * _signed(factor)
    bits = _shifted(bits ^ _shifted(bits, 31), 40)
    return bits < round(share * 2**24)


def _mixed(state: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """Scramble 64 bits; sums and products wrap around on purpose."""
    for shift, factor in zip((30, 27), _MIX, strict=True):
        state = (state ^ (state >> np.uint64(shift))) * np.uint64(factor)
    mixed: npt.NDArray[np.uint64] = state ^ (state >> np.uint64(31))
    return mixed


def _shifted(bits: "torch.Tensor", by: int) -> "torch.Tensor":
    """Shift right without dragging the sign along: torch has no unsigned 64-bit arithmetic."""
    return (bits >> by) & ((1 << (64 - by)) - 1)


def _signed(value: int) -> int:
    return value - (1 << 64) if value >= 1 << 63 else value
