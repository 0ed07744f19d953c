"""Look for tissue as part of a job."""

import time
from collections.abc import Generator

from napari_medpatch.events import Event, Noted
from napari_medpatch.io.source import Source
from napari_medpatch.patches.kept_tissue import FoundTissue, tissue_or_kept

SPEAK_SECONDS = 0.8
"""A job says this often how far it is, which also lets Stop in."""


def find_tissue(source: Source, method: str = "stain") -> Generator[Event, None, FoundTissue]:
    """Take the mask that is kept in the image's project, or look for tissue and say now and then how far it is.

    Parameters
    ----------
    source : Source
        A slide or photograph.
    method : str
        As :func:`napari_medpatch.patches.kept_tissue.tissue_or_kept`.
    """
    spoke = time.monotonic()
    for step in tissue_or_kept(source, method):
        if isinstance(step, FoundTissue):
            if step.note:
                yield Noted(step.note)
            return step
        if time.monotonic() - spoke > SPEAK_SECONDS:
            spoke = time.monotonic()
            yield Noted(f"Looking for tissue in {source.path.name}: {step:.0%}.")
    raise AssertionError("tissue_or_kept ends with a mask")
