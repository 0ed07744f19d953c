"""Jobs that tests of the window run, and waiting for them."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from napari_medpatch.events import BlockSegmented, Finished, Started
from napari_medpatch.geometry import Box, GridTransform


def blocks(
    shape: tuple[int, ...], value: int = 1, classes: tuple[str, ...] = ("ball",), chance: int = 200
) -> Iterator[Any]:
    """A fake segmentation job, one block per row of the first axis, that tells when it was closed."""
    done = 0
    try:
        ones, zeros = (1.0,) * len(shape), (0.0,) * len(shape)
        context = {"shape": shape, "classes": classes, "downsample": ones, "transform": GridTransform(ones, zeros)}
        yield Started(shape[0], "blocks", context=context)
        for index in range(shape[0]):
            box = Box((index, *(0 for _ in shape[1:])), (index + 1, *shape[1:]))
            done += 1
            labels = np.full(box.shape, value, np.uint8)
            yield BlockSegmented(done, box, labels, np.full((len(classes), *box.shape), chance, np.uint8))
        yield Finished("all")
    finally:
        closed.append(done)


closed: list[int] = []
"""How far each fake job was when it was closed."""


def finish(qtbot: Any, runner: Any, start: Any, timeout: int = 60000) -> None:
    """Click, wait for the worker to be gone, let the window catch up."""
    with qtbot.waitSignal(runner.idle, timeout=timeout):
        start()
    qtbot.wait(20)
