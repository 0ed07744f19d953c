"""What decides the blocks of a segmentation, as one number: a stopped run goes on only where all of it is the same."""

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from napari_medpatch.geometry import Box, split_axis
from napari_medpatch.infer.run_record import digest, model_digest, source_digest, versions
from napari_medpatch.io.source import Source

if TYPE_CHECKING:
    from napari_medpatch.infer.piece_maker import PieceMaker
    from napari_medpatch.infer.runner import Runner
    from napari_medpatch.infer.segment_records import SegmentSettings
    from napari_medpatch.models.bundle import Bundle

_ROWS = 16


def segment_fingerprint(
    source: Source,
    bundle: "Bundle",
    settings: "SegmentSettings",
    runner: "Runner",
    maker: "PieceMaker",
    cores: Sequence[Box],
) -> str:
    """Return the SHA-256 of image, model, settings, device, versions and the cuts.

    Parameters
    ----------
    source : Source
        The image: a volume or photograph counts by its pixels, a slide by its file.
    bundle : Bundle
        The model: configuration and weights.
    settings : SegmentSettings
        Slice axis and whether air is left out count; where to begin does not.
    runner : Runner
        Kind of device, and precision.
    maker : PieceMaker
        What is made of the logits.
    cores : sequence of Box
        The network's blocks: they may depend on the memory there is.
    """
    spacing = source.spacing.values if source.spacing is not None else None
    made = [maker.threshold, maker.maps, maker.uncertainty, maker.air_edge]
    return digest(
        _pixels_digest(source),
        spacing,
        model_digest(bundle),
        [settings.axis, settings.skip_air],
        made,
        [runner.device.type, runner.precision],
        [[core.start, core.stop] for core in cores],
        versions(),
    )


def _pixels_digest(source: Source) -> str:
    """Identify an image by its pixels; a slide, which has too many of them, by its file."""
    if source.kind == "slide":
        return source_digest(source)
    shape = source.levels[0].shape
    total = hashlib.sha256(str((shape, source.dtype)).encode())
    for start, stop in split_axis(shape[0], _ROWS if len(shape) == 3 else shape[0]):
        box = Box((start, *(0,) * (len(shape) - 1)), (stop, *shape[1:]))
        total.update(np.ascontiguousarray(source.read(0, box)).data)
    return total.hexdigest()
