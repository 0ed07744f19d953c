"""Write an evaluation into a folder: report, tables, JSON."""

import csv
import io
from collections.abc import Generator, Sequence
from pathlib import Path

from napari_medpatch.evaluate.backdrop import Backdrop, grey_backdrop
from napari_medpatch.evaluate.masks import Bools, Mask
from napari_medpatch.evaluate.pictures import Scene
from napari_medpatch.evaluate.report import Result, report_html
from napari_medpatch.evaluate.result import Row
from napari_medpatch.io.atomic import check_writable, write_json, write_text
from napari_medpatch.steps import part_of

REPORT = "report.html"
FILES = (REPORT, "classes.csv", "objects.csv", "slices.csv", "evaluation.json")
"""What :func:`write_results` writes."""


def write_results(
    folder: Path,
    result: Result,
    prediction: Mask,
    truth: Mask | None = None,
    *,
    keep: Bools | None = None,
    backdrop: Backdrop | None = None,
) -> Generator[float, None, Path]:
    """Write a result's files; yields the share that is done.

    Each file is complete or absent; files of an earlier evaluation are replaced, others in the folder stay.

    Parameters
    ----------
    folder : Path
        Is made if it is not there.
    result : EvaluationResult or VolumesResult
        What to write.
    prediction, truth : ndarray
        The masks, for pictures.
    keep : ndarray of bool, optional
        Which pixels were compared.
    backdrop : callable, optional
        What lies behind the contours; grey by default.

    Returns
    -------
    Path
        ``folder/report.html``.

    Raises
    ------
    OutputError
        If a file cannot be written.
    """
    check_writable(folder / REPORT)
    scene = Scene(prediction, truth, keep, result.units.spacing, backdrop or grey_backdrop)
    html = yield from part_of(report_html(result, scene), 0.0, 0.9)
    write_text(folder / "classes.csv", csv_text(result.class_rows()))
    write_text(folder / "objects.csv", csv_text(result.object_rows()))
    write_text(folder / "slices.csv", csv_text(result.slice_rows()))
    write_json(folder / "evaluation.json", result.to_json())
    yield 0.95
    write_text(folder / REPORT, html)
    return folder / REPORT


def csv_text(rows: Sequence[Row]) -> str:
    """Return rows as CSV: a header, full precision, empty cells where nothing can be said."""
    if not rows:
        return ""
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, list(dict.fromkeys(key for row in rows for key in row)), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return buffer.getvalue()
