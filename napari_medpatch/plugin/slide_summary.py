"""The scores of a run so far, by the functions that write its record."""

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from napari_medpatch.infer.classify_result import ClassifyResult
    from napari_medpatch.plugin.live_heat_map import LiveHeatMap


def slide_summary(run: "LiveHeatMap") -> Mapping[str, Any]:
    """Return the slide score at the threshold of the displayed class, as the run's record has it."""
    from napari_medpatch.infer.aggregate import slide_score

    tally = run.tally
    name = run.displayed if run.displayed in run.class_names else run.class_names[-1]
    return slide_score(
        np.moveaxis(tally.values, 0, -1),
        run.class_names,
        top_k=run.settings.get("top_k", 10),
        threshold=run.points.of(name),
        attention=tally.shown("attention") if "attention" in tally.extras else None,
    )


def share_in_words(run: "LiveHeatMap") -> str:
    """Return how many patches reach the threshold of the displayed class."""
    name, scored = run.displayed, run.tally.scored
    if name not in run.class_names or not scored:
        return ""
    threshold = run.points.of(name)
    count = run.tally.above(name, threshold)
    return f"{count:,} of {scored:,} patches ({count / scored:.1%}) have p({name}) ≥\N{NO-BREAK SPACE}{threshold:.3g}."


def partial_result(run: "LiveHeatMap") -> "ClassifyResult":
    """Return what a stopped run scored; its record says that it is not complete."""
    from napari_medpatch.infer.classify_result import ClassifyResult

    scores = np.moveaxis(run.tally.values, 0, -1).copy()
    rows, cols = run.grid.cells.T
    scored = np.isfinite(scores[rows, cols]).all(axis=1)
    record = {
        "task": "classify",
        "complete": False,
        "patches": int(scored.sum()),
        "patches_planned": run.total,
        "model": {"name": run.model},
        "settings": dict(run.settings),
    }
    extras = {name: values.copy() for name, values in run.tally.extras.items()}
    grid = replace(run.grid, cells=run.grid.cells[scored])
    return ClassifyResult(grid, scores, run.class_names, slide_summary(run), (), record, extras)
