"""The scores of a run so far, by the functions that write its record."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from napari_medpatch.plugin.live_heat_map import LiveHeatMap


def slide_summary(run: "LiveHeatMap") -> Mapping[str, Any]:
    """Return the slide score at the threshold of the displayed class, as the run's record has it."""
    from napari_medpatch.infer.aggregate import slide_score

    name = run.displayed if run.displayed in run.class_names else run.class_names[-1]
    return slide_score(
        np.moveaxis(run.tally.values, 0, -1), run.class_names, top_k=run.top_k, threshold=run.points.of(name)
    )


def share_in_words(run: "LiveHeatMap") -> str:
    """Return how many patches reach the threshold of the displayed class."""
    name, scored = run.displayed, run.tally.scored
    if name not in run.class_names or not scored:
        return ""
    threshold = run.points.of(name)
    count = run.tally.above(name, threshold)
    return f"{count:,} of {scored:,} patches ({count / scored:.1%}) have p({name}) ≥ {threshold:.3g}."
