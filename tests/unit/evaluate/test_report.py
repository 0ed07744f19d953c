"""The report: one page that needs nothing else, pictures that show what they say, tables that add up."""

import base64
import csv
import io
import json
import re
from collections.abc import Generator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mask_cases import ball, evaluated, slab
from PIL import Image

from napari_medpatch.errors import OutputError
from napari_medpatch.evaluate.backdrop import grey_backdrop, volume_backdrop
from napari_medpatch.evaluate.choose_slices import choose_slices, window_of
from napari_medpatch.evaluate.columns import heading, text, tip
from napari_medpatch.evaluate.outputs import FILES, csv_text, write_results
from napari_medpatch.evaluate.pictures import PREDICTED_COLOUR, TRUE_COLOUR, WRONG_COLOUR, Scene
from napari_medpatch.evaluate.svg_curve import Curve, svg_curve
from napari_medpatch.evaluate.volumes import measure_mask
from napari_medpatch.events import run

SHAPE = (20, 40, 40)
TRUTH = ball(SHAPE, (10, 20, 20), 8) + slab(SHAPE, (0, 3), (0, 5), (0, 5), value=2)
PREDICTION = np.roll(TRUTH, (1, 2, 0), (0, 1, 2))


def finish(job: Generator[float, None, Any]) -> Any:
    last = 0.0
    while True:
        try:
            now = next(job)
            assert now >= last
            last = now
        except StopIteration as end:
            return end.value


def pixels(uri: str) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2]))))


def table(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))


def written(folder: Path, **options: Any) -> str:
    options = {"spacing": (2.0, 1.0, 1.0), "class_names": ("ball", "<b>&box"), **options}
    result = evaluated(PREDICTION, TRUTH, **options)
    finish(write_results(folder, result, PREDICTION, TRUTH))
    return (folder / "report.html").read_text(encoding="utf-8")


def test_all_files_are_there_and_others_stay(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    written(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {*FILES, "mine.txt"}
    rows = table(tmp_path / "classes.csv")
    record = json.loads((tmp_path / "evaluation.json").read_text(encoding="utf-8"))
    assert [row["class"] for row in rows] == ["1", "2", "0"]
    assert float(rows[0]["dice"]) == record["classes"]["1"]["dice"]
    assert len(record["objects"]) == len(table(tmp_path / "objects.csv"))


def test_page_loads_nothing_and_is_well_formed(tmp_path: Path) -> None:
    page = written(tmp_path)
    assert "<script" not in page
    assert not re.search(r"(?:src|href)=\"(?!data:)", page)
    assert "url(" not in page
    assert page.count("data:image/png;base64,") == 18
    opened: list[str] = []

    class Parser(HTMLParser):
        def handle_starttag(self, tag: str, attrs: Any) -> None:
            if tag not in ("meta", "img"):
                opened.append(tag)

        def handle_startendtag(self, tag: str, attrs: Any) -> None:
            assert tag in ("line", "path")

        def handle_endtag(self, tag: str) -> None:
            assert opened.pop() == tag

    Parser().feed(page)
    assert opened == []


def test_names_are_text_not_markup(tmp_path: Path) -> None:
    page = written(tmp_path)
    assert "&lt;b&gt;&amp;box" in page
    assert "<b>&box" not in page


def test_light_dark_and_paper_are_provided_for(tmp_path: Path) -> None:
    page = written(tmp_path)
    for rule in ("prefers-color-scheme: dark", "@media print", "color-scheme: light dark"):
        assert rule in page


def test_a_mask_by_itself_has_a_report_too(tmp_path: Path) -> None:
    result = run(measure_mask(TRUTH, spacing=(2, 1, 1), provenance={"prediction": "a.nii.gz"}))
    finish(write_results(tmp_path, result, TRUTH))
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "Measures of a.nii.gz" in page
    assert page.count("data:image/png") == 3
    assert "false positive" not in page


def test_empty_masks_have_a_report(tmp_path: Path) -> None:
    empty = np.zeros(SHAPE, np.uint8)
    finish(write_results(tmp_path, evaluated(empty, empty), empty, empty))
    assert "both are empty" in (tmp_path / "report.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("rgb", [False, True])
def test_pictures_of_pictures(tmp_path: Path, rgb: bool) -> None:
    truth, prediction = slab((30, 50), (5, 20), (5, 20)), slab((30, 50), (5, 20), (8, 20))
    result = evaluated(prediction, truth, spacing=(0.5, 0.5), unit="um")

    def backdrop(axis: int, index: int, window: tuple[slice, slice]) -> np.ndarray:
        shape = tuple(part.stop - part.start for part in window)
        return np.full((*shape, 3) if rgb else shape, 90, np.uint8)

    finish(write_results(tmp_path, result, prediction, truth, backdrop=backdrop))
    assert (tmp_path / "report.html").read_text(encoding="utf-8").count("data:image/png") == 2


def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError, match=r"in the way|cannot be written"):
        written(tmp_path / "file")


def test_error_picture_fills_what_differs() -> None:
    truth, prediction = slab((10, 10), (0, 10), (0, 5)), slab((10, 10), (0, 10), (2, 7))
    prediction[:5, 3:5] = 2
    black = Scene(prediction, truth, None, (1.0, 1.0), lambda axis, index, window: np.zeros((10, 10), np.uint8))
    shown = pixels(black.errors(0, 0, (slice(0, 10), slice(0, 10))))
    size = shown.shape[0] // 10
    cell = lambda row, column: shown[row * size + size // 2, column * size + size // 2].tolist()  # noqa: E731
    assert cell(8, 0) == [int(0.6 * v) for v in TRUE_COLOUR]
    assert cell(8, 6) == [int(0.6 * v) for v in PREDICTED_COLOUR]
    assert cell(2, 3) == [int(0.6 * v) for v in WRONG_COLOUR]
    assert cell(8, 3) == cell(8, 9) == [0, 0, 0]


def test_outlines_are_white_where_masks_agree() -> None:
    truth = slab((10, 10), (2, 8), (2, 8))
    scene = Scene(truth, truth, None, (1.0, 1.0), grey_backdrop)
    colours = {tuple(c) for c in pixels(scene.contours(0, 0, (slice(0, 10), slice(0, 10)))).reshape(-1, 3).tolist()}
    assert colours == {(60, 60, 60), (255, 255, 255)}


def test_thick_slices_are_drawn_in_proportion_with_the_head_up() -> None:
    volume = np.zeros((10, 20, 20), np.int16)
    volume[8:] = 1000
    mask = np.zeros(volume.shape, np.uint8)
    scene = Scene(mask, mask, None, (4.0, 1.0, 1.0), volume_backdrop(volume))
    coronal = pixels(scene.contours(1, 5, (slice(0, 10), slice(0, 20))))
    assert coronal.shape[0] == 2 * coronal.shape[1]
    assert coronal[5].mean() > 200
    assert coronal[-5].mean() < 50


def test_slices_are_chosen_among_the_full_ones() -> None:
    truth = slab((20, 20, 20), (2, 18), (2, 18), (2, 18))
    prediction = truth.copy()
    prediction[5, :, :] = 0
    prediction[1, 0, 0] = 1
    counts = evaluated(prediction, truth).foreground.slices
    best, middle, worst = choose_slices(counts, 0)
    assert (best.why, middle.why, worst.why) == ("best", "middle", "worst")
    assert worst.index == 5
    assert counts.dice(0)[best.index] == 1.0
    assert middle.index == 10
    assert len(choose_slices(counts, 0, scored=False)) == 1


def test_window_surrounds_the_foreground() -> None:
    counts = evaluated(TRUTH, TRUTH).foreground.slices
    for axis in range(3):
        window = window_of(counts, axis, SHAPE, (2.0, 1.0, 1.0))
        inside = np.take(TRUTH, 10, axis)[window]
        assert inside.sum() == np.take(TRUTH, 10, axis).sum()


def test_curves_have_gaps_and_dots() -> None:
    values = np.array([np.nan, 0.5, 0.6, np.nan, 0.7])
    drawn = svg_curve([Curve("a", values), Curve("b", np.full(5, np.nan))], "slice z", "Dice")
    assert drawn.count("<path") == 1
    (path,) = re.findall(r'<path d="([^"]+)"', drawn)
    assert path.count("M") == 2
    assert path.endswith("h0")


@pytest.mark.parametrize(
    ("column", "head", "value", "shown"),
    [
        ("dice", "Dice", 0.98765, "0.988"),
        ("iou", "IoU", None, "–"),
        ("hd95_mm", "HD95 (mm)", 3.14159, "3.14"),
        ("assd_um", "ASSD (µm)", 0.1234, "0.123"),
        ("volume_ml", "Volume (ml)", 4321.5678, "4321.6"),
        ("area_mm2", "Area (mm²)", 1.0, "1.00"),
        ("difference_ml", "Difference (ml)", -2.5, "-2.50"),
        ("difference_percent", "Difference (%)", -0.001, "+0.0"),
        ("predicted_voxels", "Predicted (voxels)", 12, "12"),
        ("objects_false_positive", "Objects false positive", 3, "3"),
        ("object_f1", "Object F1", 0.5, "0.500"),
        ("mean_HU", "Mean (HU)", -874.303, "-874.3"),
        ("R_mm", "R (mm)", -67.4544, "-67.45"),
        ("surface_dice", "Surface Dice", 1.0, "1.000"),
    ],
)
def test_columns_in_words(column: str, head: str, value: Any, shown: str) -> None:
    assert heading(column) == head
    assert text(column, value) == shown
    if column not in ("volume_ml", "area_mm2", "predicted_voxels", "object_f1"):
        assert tip(column)


def test_csv_keeps_full_precision_and_leaves_unknown_cells_empty() -> None:
    rows = [{"name": "a, b", "dice": 1 / 3, "hd": None}, {"name": "c", "dice": 0.5, "more": 1}]
    lines = csv_text(rows).splitlines()
    assert lines[0] == "name,dice,hd,more"
    assert lines[1] == '"a, b",0.3333333333333333,,'
    assert csv_text([]) == ""
