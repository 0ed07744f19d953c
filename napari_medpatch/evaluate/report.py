"""The evaluation as one HTML page with pictures: nothing else is needed to read it."""

from collections.abc import Collection, Generator, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from napari_medpatch import __version__
from napari_medpatch.evaluate.choose_slices import Chosen, choose_slices, window_of
from napari_medpatch.evaluate.columns import heading, text, tip
from napari_medpatch.evaluate.pictures import PREDICTED_COLOUR, TRUE_COLOUR, WRONG_COLOUR, Scene
from napari_medpatch.evaluate.result import EvaluationResult, Row
from napari_medpatch.evaluate.slices import SliceCounts
from napari_medpatch.evaluate.svg_curve import COLOURS, Curve, dash_of, svg_curve
from napari_medpatch.evaluate.volumes_result import VolumesResult

Result: TypeAlias = EvaluationResult | VolumesResult
_MOST_OBJECTS = 200
_PLANES = {"z": "axial", "y": "coronal", "x": "sagittal"}


def report_html(result: Result, scene: Scene) -> Generator[float, None, str]:
    """Return an evaluation as an HTML page; yields the share that is done.

    The page loads nothing: pictures are inside, there is no script. It is readable in light and dark and on paper.

    Parameters
    ----------
    result : EvaluationResult or VolumesResult
        What was found.
    scene : Scene
        Masks and background for the pictures.
    """
    import jinja2

    pictures = yield from _pictures(result, scene)
    environment = jinja2.Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    environment.filters.update(heading=heading, tip=tip, css=_css)
    template = environment.from_string(files(__package__).joinpath("report.html.jinja").read_text(encoding="utf-8"))
    scored = isinstance(result, EvaluationResult)
    objects = result.object_rows()
    page: str = template.render(
        title=_title(result),
        scored=scored,
        facts=_facts(result),
        notes=result.notes,
        classes=_class_tables(result),
        objects=_table(objects[:_MOST_OBJECTS], _left_out(result)),
        placed=result.world.affine is not None,
        objects_left_out=max(0, len(objects) - _MOST_OBJECTS),
        pictures=pictures,
        curves=_curves(result),
        colours={"true": TRUE_COLOUR, "predicted": PREDICTED_COLOUR, "wrong": WRONG_COLOUR},
        legend=[(name, COLOURS[i], dash_of(i)) for i, name in enumerate(_labels(result)[: len(COLOURS)])],
        several=len(result.classes) > 1,
        tolerance=result.settings.tolerance_in(result.units.length),
        length=result.units.length_text,
        connectivity=result.settings.connectivity,
        min_iou=result.settings.min_iou,
        surface=result.settings.surface and scored,
        version=__version__,
    )
    return page


def _labels(result: Result) -> list[str]:
    return [each.label for each in result.classes]


def _title(result: Result) -> str:
    name = Path(str(result.provenance.get("prediction", "mask"))).name
    truth = result.provenance.get("truth")
    return f"{name} against {Path(str(truth)).name}" if truth else f"Measures of {name}"


def _facts(result: Result) -> list[tuple[str, str]]:
    """Return what is worth knowing about inputs and settings, as names and values."""
    units = result.units
    spacing = " × ".join(f"{size:.4g}" for size in units.spacing[::-1])
    scored = isinstance(result, EvaluationResult)
    names = {"prediction": "prediction" if scored else "mask", "truth": "truth", "image": "image"}
    known = [(name, str(result.provenance[key])) for key, name in names.items() if key in result.provenance]
    grid = " × ".join(str(n) for n in result.shape[::-1])
    facts = [
        *known,
        ("grid (x y z)" if units.ndim == 3 else "grid (x y)", grid),
        ("pixel size", f"{spacing} {units.length_text}" if units.length != "px" else "unknown: results are in pixels"),
    ]
    if isinstance(result, EvaluationResult) and result.compared < np.prod(result.shape):
        facts.append(
            ("compared", f"{result.compared:,} of {int(np.prod(result.shape)):,} pixels; the rest is left out")
        )
    for side, pairs in dict(result.provenance.get("class_maps", {})).items():
        facts.append((f"classes of the {side} counted as", pairs))
    for key, made in dict(result.provenance.get("made", {})).items():
        if made:
            facts.append((f"{key} made by", ", ".join(f"{name}: {value}" for name, value in made.items())))
    return facts


def _class_tables(result: Result) -> list[dict[str, Any]]:
    """Return the table of classes in parts that fit a page: scores and distances, then sizes and objects."""
    rows = result.class_rows()
    if not rows:
        return []
    later = {name for row in rows for name in row if name.startswith(("predicted_", "true_", "difference_", "object"))}
    if not isinstance(result, EvaluationResult):
        return [_table(rows, _left_out(result))]
    others = {name for row in rows for name in row} - later - {"class", "name"}
    return [_table(rows, later), _table(rows, others | _left_out(result))]


def _left_out(result: Result) -> set[str]:
    """Return the columns of counts if sizes are known; the tables have them."""
    units = result.units
    names = {f"{name}_{units.pixel}" for name in ("predicted", "true", units.extent)}
    return names if units.length != "px" else set()


def _table(rows: Sequence[Row], left_out: Collection[str]) -> dict[str, Any]:
    """Return heads and cells of a table; columns that say nothing are left out."""
    names = list(dict.fromkeys(key for row in rows for key in row if key not in left_out))
    shown = [name for name in names if any(row.get(name) not in (None, "") for row in rows)]
    return {"columns": shown, "rows": [[text(name, row.get(name)) for name in shown] for row in rows]}


def _foreground(result: Result) -> SliceCounts:
    if isinstance(result, EvaluationResult):
        return result.foreground.slices
    sums = tuple(
        sum((each.slices.predicted[axis] for each in result.classes), np.zeros(length, np.int64))
        for axis, length in enumerate(result.shape)
    )
    return SliceCounts(sums, sums, sums)


def _pictures(result: Result, scene: Scene) -> Generator[float, None, list[dict[str, Any]]]:
    """Draw the chosen slices of each plane; a picture has one plane."""
    counts, found = _foreground(result), []
    axes = range(3) if result.units.ndim == 3 else range(1)
    chosen = [each for axis in axes for each in _chosen(counts, axis, result)]
    for number, each in enumerate(chosen, start=1):
        window = window_of(counts, each.axis, result.shape, result.units.spacing)
        found.append(
            {
                "caption": _caption(each, counts, result),
                "contours": scene.contours(each.axis, each.index, window),
                "errors": scene.errors(each.axis, each.index, window) if scene.true is not None else "",
            }
        )
        yield number / len(chosen)
    return found


def _chosen(counts: SliceCounts, axis: int, result: Result) -> list[Chosen]:
    scored = isinstance(result, EvaluationResult)
    if result.units.ndim == 2:
        return [Chosen(0, 0, "")] if counts.predicted[0].any() or counts.true[0].any() else []
    return choose_slices(counts, axis, scored=scored)


def _caption(each: Chosen, counts: SliceCounts, result: Result) -> str:
    if result.units.ndim == 2:
        return "The picture"
    axis = result.units.axes[each.axis]
    score = f", Dice {counts.dice(each.axis)[each.index]:.3f}" if isinstance(result, EvaluationResult) else ""
    return f"{_PLANES[axis].capitalize()}, {each.why}: slice {axis} = {each.index}{score}"


def _curves(result: Result) -> list[str]:
    if result.units.ndim == 2:
        return []
    drawn = []
    for axis, name in enumerate(result.units.axes):
        curves = [Curve(each.label, result.curve(each.value, axis)) for each in result.classes[: len(COLOURS)]]
        highest = max((float(np.nanmax(each.values)) for each in curves if not each.is_empty), default=1.0)
        top = 1.0 if isinstance(result, EvaluationResult) else highest
        drawn.append(svg_curve(curves, f"slice {name} ({_PLANES[name]})", result.curve_label, top=top))
    return drawn


def _css(colour: Sequence[int]) -> str:
    return f"rgb({', '.join(map(str, colour))})"
