"""What is blank by the rule of the STRIP AI notebooks: nearly white pixels and black ones."""

from collections.abc import Iterator

import numpy as np

from napari_medpatch.io.source import Source
from napari_medpatch.patches.disc import BoolArray
from napari_medpatch.patches.overview import Overview, read_overview, working_downsample
from napari_medpatch.patches.tissue import TissueMask

WHITE = 240.0
"""Mean of red, green and blue above which a pixel is background (the notebooks use 235 to 245)."""

BLACK = 3.0
"""Black is a scanner's or a reader's filling, exactly 0 in the notebooks; JPEG makes it a little brighter."""


def unblank_steps(source: Source) -> Iterator[float | TissueMask]:
    """Yield the finished fraction after each block and at last a mask of what is not blank.

    Parameters
    ----------
    source : Source
        A slide; judged on its own pixels at low resolution, without any cleaning.
    """
    for step in read_overview(source, working_downsample(source)):
        if isinstance(step, Overview):
            mean = step.rgb.mean(axis=-1)
            unblank: BoolArray = (mean <= WHITE) & (step.rgb.max(axis=-1) > BLACK)
            yield TissueMask(np.ascontiguousarray(unblank), step.downsample)
        else:
            yield step
