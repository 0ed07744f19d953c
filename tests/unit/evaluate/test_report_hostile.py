"""Names out of files and folders are text in a report and cells in a table, whatever stands in them."""

import csv
import html
import io
import json
from collections.abc import Mapping
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mask_cases import evaluated, slab

from napari_medpatch.evaluate.files import evaluate_files
from napari_medpatch.evaluate.outputs import csv_text, write_results
from napari_medpatch.evaluate.svg_curve import COLOURS, Curve, svg_curve
from napari_medpatch.evaluate.volumes import measure_mask
from napari_medpatch.events import run
from napari_medpatch.io.array_source import ArraySource
from napari_medpatch.io.export import write_mask

SHAPE = (4, 20, 20)
TRUTH = slab(SHAPE, (1, 3), (4, 12), (4, 12)) + slab(SHAPE, (1, 3), (14, 18), (14, 18), value=2)
HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "{{ 7 * 7 }}{% raw %}",
    "a & b < c > d",
    "--><svg onload=alert(1)>",
    "</style></svg></td></table>",
    "javascript:alert(1)",
    'comma, "quote"\nand line',
    "\u202egnp.exe",
    "lungé 肺 🫁",
    '=HYPERLINK("http://example.com")',
)


class Seen(HTMLParser):
    """What a browser would see of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def seen(page: str) -> Seen:
    parser = Seen()
    parser.feed(page)
    parser.close()
    return parser


def page_of(folder: Path, **options: Any) -> str:
    prediction = np.roll(TRUTH, 1, 2)
    for _ in write_results(folder, evaluated(prediction, TRUTH, spacing=(2, 1, 1), **options), prediction, TRUTH):
        pass
    return (folder / "report.html").read_text(encoding="utf-8")


def plain(folder: Path) -> Seen:
    """The same report with names that nobody minds."""
    folder.mkdir()
    return seen(page_of(folder, class_names=("a", "b"), notes=("c",), provenance={"prediction": "d", "truth": "e"}))


@pytest.mark.parametrize("name", HOSTILE)
def test_a_name_adds_text_and_nothing_else(tmp_path: Path, name: str) -> None:
    made = {"prediction": {name: name, "model": [name, {name: 1}]}}
    facts: Mapping[str, Any] = {"prediction": name, "truth": name, "image": name, "made": made}
    (tmp_path / "hostile").mkdir()
    page = page_of(tmp_path / "hostile", class_names=(name, "b"), notes=(name,), provenance=facts)
    found, usual = seen(page), plain(tmp_path / "plain")
    assert {tag for tag in found.tags if tag in ("script", "iframe", "object", "link", "svg", "style")} == {
        "svg",
        "style",
    }
    assert found.tags.count("svg") == usual.tags.count("svg")
    assert found.tags.count("img") == usual.tags.count("img")
    assert {key for key, _ in found.attributes} <= {key for key, _ in usual.attributes}
    assert not [key for key, _ in found.attributes if key.startswith("on")]
    assert not [
        value
        for key, value in found.attributes
        if key in ("src", "href") and not (value or "").startswith("data:image/png")
    ]
    shown = " ".join(" ".join(found.text).split())
    assert " ".join(name.split()) in shown
    assert "49" not in html.unescape(name) or "{{" not in name


@pytest.mark.parametrize("name", HOSTILE)
def test_a_table_gives_every_name_back(name: str) -> None:
    result = evaluated(TRUTH, TRUTH, class_names=(name, "b"), spacing=(2, 1, 1))
    for rows in (result.class_rows(), result.object_rows(), result.slice_rows()):
        back = list(csv.DictReader(io.StringIO(csv_text(rows), newline="")))
        assert [each["name"] for each in back] == [str(each["name"]) for each in rows]
        assert {len(each) for each in back} == {len(rows[0])}


@pytest.mark.parametrize("name", HOSTILE)
def test_json_gives_every_name_back(tmp_path: Path, name: str) -> None:
    page_of(tmp_path, class_names=(name, "b"), notes=(name,), provenance={"prediction": name})
    record = json.loads((tmp_path / "evaluation.json").read_text(encoding="utf-8"))
    assert record["classes"]["1"]["name"] == name
    assert record["notes"] == [name]
    assert record["provenance"]["prediction"] == name


@pytest.mark.parametrize("name", [name for name in HOSTILE if "/" not in name and "\n" not in name])
def test_files_of_such_names_are_compared_and_reported(tmp_path: Path, name: str) -> None:
    source = ArraySource(np.zeros(SHAPE, np.int16), "volume", (2.0, 1.0, 1.0))
    folder = tmp_path / name
    folder.mkdir()
    truth = write_mask(TRUTH, source, folder / f"{name}.nii.gz", class_names=(name, "b"))
    result = run(evaluate_files(truth, truth, report=folder / "report"))
    assert result.mean_dice == 1.0
    found = seen((folder / "report" / "report.html").read_text(encoding="utf-8"))
    assert "script" not in found.tags
    assert f"{name}.nii.gz" in "".join(found.text)


def test_a_mask_by_itself_is_as_careful(tmp_path: Path) -> None:
    name = HOSTILE[0]
    result = run(measure_mask(TRUTH, class_names=(name, name), value_unit="", provenance={"prediction": name}))
    for _ in write_results(tmp_path, result, TRUTH):
        pass
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "script" not in seen(page).tags
    assert html.escape(name, quote=False) in page


def test_many_classes_have_a_report_with_as_many_rows(tmp_path: Path) -> None:
    mask = np.zeros((1, 20, 26), np.uint8)
    mask[0].flat[: 255 * 2] = np.repeat(np.arange(1, 256, dtype=np.uint8), 2)
    for _ in write_results(tmp_path, evaluated(mask, mask, surface=False), mask, mask):
        pass
    rows = list(csv.DictReader((tmp_path / "classes.csv").read_text(encoding="utf-8").splitlines()))
    assert [int(each["class"]) for each in rows] == [*range(1, 256), 0]
    # A curve per axis, and a dash in the legend for each class that has a colour.
    assert (tmp_path / "report.html").read_text(encoding="utf-8").count("<svg") == 3 + len(COLOURS)


def test_a_curve_holds_numbers_only() -> None:
    drawn = svg_curve([Curve("<b>", np.array([0.5, np.nan, 1.0]))], "slice", "Dice")
    assert "<b>" not in drawn
    assert "nan" not in drawn.lower()
