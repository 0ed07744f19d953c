"""When a sweep goes on, and when it begins anew."""

from collections.abc import Callable, Generator, Sequence
from typing import Any

import torch

from napari_medpatch.geometry import Box
from napari_medpatch.infer.exact_pass import StreamPass
from napari_medpatch.infer.halo import Tiling
from napari_medpatch.infer.sweep import Sweep
from napari_medpatch.steps import finish

PLANE = (8, 8)


class Rows:
    """A stream of nothing."""

    def rows(self, start: int, stop: int, then: int) -> Generator[float, None, torch.Tensor]:
        yield 1.0
        return torch.zeros((1, stop - start, *PLANE))


def test_slabs_that_share_rows_are_one_sweep_and_going_back_begins_another() -> None:
    begun: list[Sequence[int]] = []

    def begin(_read: Callable[[int, int], Any], _size: int, plane: Sequence[int]) -> Any:
        begun.append(plane)
        return Rows()

    tiling = Tiling((40, *PLANE), (4,) * 3, (4,) * 3)
    network = StreamPass(None, tiling, Sweep((Box.whole(PLANE),), 4), begin, rows=8, overlap=2)  # type: ignore[arg-type]
    for start in (0, 6, 12, 18):
        assert finish(network.logits(Box((start, 0, 0), (start + 8, *PLANE)))).shape == (1, 8, *PLANE)
    assert begun == [PLANE]
    # The last slab ended at row 26 and holds two rows: 23 is gone. The next one ends at 31, which leaves 29.
    for start, sweeps in ((23, 2), (29, 2), (10, 3)):
        finish(network.logits(Box((start, 0, 0), (start + 8, *PLANE))))
        assert len(begun) == sweeps
