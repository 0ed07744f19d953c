"""The results panel says and draws what the scores are, for one, two and more classes, of the selected run."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_medpatch.events import PatchesScored, Started
from napari_medpatch.infer.aggregate import slide_score
from napari_medpatch.infer.classify_result import ClassifyResult
from napari_medpatch.io.array_source import ArraySource
from napari_medpatch.io.geojson import class_colour
from napari_medpatch.patches.grid import PatchGrid
from napari_medpatch.plugin.current_image import CurrentImage
from napari_medpatch.plugin.earlier_runs import run_of
from napari_medpatch.plugin.layers import layer_data, role_of
from napari_medpatch.plugin.live_heat_map import LiveHeatMap
from napari_medpatch.plugin.results_panel import ResultsPanel

ROWS, COLS = 6, 8


class Bench:
    """A viewer model with an image, the panel, and runs whose patches are made up."""

    def __init__(self, qtbot: Any) -> None:
        self.viewer = ViewerModel()
        source = ArraySource(np.zeros((600, 800, 3), np.uint8), "slide", spacing=(0.5, 0.5), path="slide.tiff")
        ((data, attributes, _),) = layer_data(source)
        self.image = self.viewer.add_image(data, **attributes)
        self.current = CurrentImage(self.viewer)
        self.panel = ResultsPanel(self.viewer, self.current)
        qtbot.addWidget(self.panel)
        self.cells = np.argwhere(np.ones((ROWS, COLS), bool))[5:]
        self.grid = PatchGrid(ROWS, COLS, (100, 100), (100, 100), (0, 0), self.cells)

    def begin(
        self,
        names: tuple[str, ...],
        threshold: float | None = None,
        model: str = "model",
        extras: tuple[str, ...] = ("uncertainty",),
    ) -> LiveHeatMap:
        card = SimpleNamespace(name=model, class_names=names, threshold=threshold)
        run = LiveHeatMap(self.viewer, self.image, SimpleNamespace(card=card))
        context = {"grid": self.grid, "class_names": names, "extra_names": extras}
        run.on_events([Started(len(self.cells), "patches", context=context)])
        self.panel.show_run(run)
        return run

    def score(self, run: LiveHeatMap, part: slice = slice(None), seed: int = 0) -> np.ndarray:
        values = np.random.default_rng(seed).random((len(self.cells), len(run.class_names))).astype(np.float32)
        if len(run.class_names) == 2:
            values[:, 0] = 1 - values[:, 1]
        cells, some = self.cells[part], values[part]
        boxes = self.grid.boxes(cells)
        run.on_events([PatchesScored(len(cells), cells, boxes, some, {"uncertainty": some[:, 0] / 2})])
        self.panel.update_scores(final=True)
        return values

    def finish(self, run: LiveHeatMap, values: np.ndarray) -> ClassifyResult:
        scores = np.full((ROWS, COLS, len(run.class_names)), np.nan, np.float32)
        scores[self.cells[:, 0], self.cells[:, 1]] = values
        extra = {"uncertainty": scores[..., 0] / 2}
        result = ClassifyResult(self.grid, scores, run.class_names, slide_score(scores, run.class_names), (), {}, extra)
        run.on_result(result)
        self.panel.update_scores(final=True)
        return result

    def cell(self, row: int, column: int) -> str:
        return self.panel.table.item(row, column).text()


@pytest.fixture
def bench(qtbot: Any) -> Bench:
    return Bench(qtbot)


def test_the_panel_waits_for_a_run_and_starts_at_the_operating_point(bench: Bench) -> None:
    panel = bench.panel
    assert panel.isHidden()
    run = bench.begin(("other", "tumour"), threshold=0.3)
    assert not panel.isHidden()
    values = bench.score(run, slice(0, 20))
    assert panel.class_combo.currentText() == "tumour"
    assert panel.threshold.value() == pytest.approx(0.3)
    assert panel.histogram.line.value() == pytest.approx(0.3)
    above = int((values[:20, 1] >= 0.3).sum())
    assert panel.share.text() == f"{above} of 20 patches ({above / 20:.1%}) have p(tumour) ≥\N{NO-BREAK SPACE}0.3."
    assert panel.title.text() == "model: 20 of 43 patches scored"
    assert panel.histogram.counts.sum() == 20
    # Patches that were not scored are transparent.
    tumour = run.layer_of("tumour")
    assert np.isnan(tumour.data).sum() == ROWS * COLS - 20
    assert (tumour.colormap.map(np.array([np.nan]))[0, 3]) == 0


def test_slider_line_share_table_and_class_map_move_together(bench: Bench) -> None:
    panel, run = bench.panel, bench.begin(("other", "tumour"))
    values = bench.score(run)
    bench.finish(run, values)
    panel.map_check.click()
    labels = run.class_map
    assert labels in bench.viewer.layers
    assert role_of(labels) == "class map"
    for threshold in (0.8, 0.2):
        panel.threshold.slider.setValue(round(1000 * threshold))
        expected = np.where(values[:, 1] >= np.float32(threshold), 2, 1)
        assert np.array_equal(labels.data[bench.cells[:, 0], bench.cells[:, 1]], expected)
        assert (labels.data.ravel()[:5] == 0).all()
        assert panel.histogram.line.value() == pytest.approx(threshold)
        assert bench.cell(1, 3) == f"{(expected == 2).mean():.1%}"
        assert panel.table.horizontalHeaderItem(3).text() == f"≥ {threshold:g}"
    panel.histogram.line.setValue(0.6)
    assert panel.threshold.value() == pytest.approx(0.6)
    assert labels.metadata["medpatch"]["deciding"] == pytest.approx(0.6)
    # Colours are those of the GeoJSON, in table and map.
    colours = labels.colormap.color_dict
    np.testing.assert_allclose(colours[2][:3], np.array(class_colour(1)) / 255, atol=1e-6)
    panel.map_check.click()
    assert not labels.visible
    bench.viewer.layers.remove(labels)
    panel.map_check.click()
    assert run.class_map is not labels
    assert run.class_map in bench.viewer.layers


def test_the_two_classes_of_a_binary_model_share_one_cut(bench: Bench) -> None:
    panel, run = bench.panel, bench.begin(("other", "tumour"), threshold=0.3)
    values = bench.score(run)
    bench.finish(run, values)
    panel.class_combo.setCurrentText("other")
    assert panel.threshold.value() == pytest.approx(0.7)
    assert [run.layer_of(name).visible for name in ("other", "tumour")] == [True, False]
    panel.threshold.number.setValue(0.9)
    assert run.points.deciding == pytest.approx(0.1)
    panel.class_combo.setCurrentText("tumour")
    assert panel.threshold.value() == pytest.approx(0.1)


def test_one_logit_and_several_classes(bench: Bench) -> None:
    panel, run = bench.panel, bench.begin(("tumour",), threshold=0.4)
    values = bench.score(run)
    panel.map_check.click()
    assert np.array_equal(run.class_map.data[tuple(bench.cells.T)], (values[:, 0] >= np.float32(0.4)).astype(np.uint8))
    many = bench.begin(("a", "b", "c"), model="many")
    values = bench.score(many)
    assert panel.run is many
    assert not panel.map_check.isChecked()
    panel.map_check.click()
    panel.threshold.slider.setValue(900)
    assert np.array_equal(many.class_map.data[tuple(bench.cells.T)], values.argmax(axis=1) + 1)
    assert panel.table.rowCount() == 3
    assert bench.cell(2, 3) == f"{(values[:, 2] >= np.float32(0.9)).mean():.1%}"


def test_the_panel_follows_the_selected_heat_map(bench: Bench) -> None:
    panel = bench.panel
    first = bench.begin(("other", "tumour"), model="first")
    bench.finish(first, bench.score(first, seed=1))
    second = bench.begin(("a", "b", "c"), model="second")
    bench.finish(second, bench.score(second, seed=2))
    assert panel.run is second
    bench.viewer.layers.selection.active = first.layer_of("other")
    assert panel.run is first
    assert panel.class_combo.currentText() == "other"
    assert panel.table.rowCount() == 2
    bench.viewer.layers.selection.active = second.layer_of("b")
    assert panel.title.text().startswith("second")
    assert panel.class_combo.currentText() == "b"
    # The image itself changes nothing; a removed run gives way to the one that is left.
    bench.viewer.layers.selection.active = bench.image
    assert panel.run is second
    for layer in list(second.layers):
        bench.viewer.layers.remove(layer)
    assert panel.run is first
    for layer in list(first.layers):
        bench.viewer.layers.remove(layer)
    assert panel.run is None
    assert panel.isHidden()


def test_fading_keeps_values_and_the_users_colours(bench: Bench) -> None:
    panel, run = bench.panel, bench.begin(("other", "tumour"))
    values = bench.score(run)
    bench.finish(run, values)
    layer = run.layer_of("tumour")
    before = layer.data.copy()
    panel.threshold.slider.setValue(600)
    for key, alpha in (("fade", 0.25), ("hide", 0.0)):
        panel.fade_combo.setCurrentIndex(panel.fade_combo.findData(key))
        shown = layer.colormap.map(np.array([0.1, 0.599, 0.601, 1.0], np.float32))[:, 3]
        np.testing.assert_allclose(shown, [alpha, alpha, 1, 1], atol=1e-6)
    layer.colormap = "magma"
    panel.threshold.slider.setValue(500)
    assert layer.colormap.name.startswith("magma")
    assert layer.colormap.map(np.array([0.4]))[0, 3] == 0
    panel.fade_combo.setCurrentIndex(panel.fade_combo.findData("show"))
    assert layer.colormap.name == "magma"
    np.testing.assert_array_equal(layer.data, before)


def test_extras_have_layers_of_their_own(bench: Bench) -> None:
    panel, run = bench.panel, bench.begin(("other", "tumour"))
    result = bench.finish(run, bench.score(run))
    layer = run.layer_of("uncertainty")
    assert not layer.visible
    np.testing.assert_array_equal(layer.data, result.extras["uncertainty"])
    assert layer.metadata["medpatch_result"] is result
    panel.class_combo.setCurrentText("uncertainty")
    assert [run.layer_of(name).visible for name in run.names] == [False, False, True]
    assert not panel.threshold.isEnabled()
    assert panel.share.text() == ""
    assert panel.histogram.counts.sum() == len(bench.cells)


def test_layers_carry_what_other_tools_need_and_lie_on_the_image(bench: Bench) -> None:
    bench.image.rotate = 20
    bench.image.translate = (7, -3)
    run = bench.begin(("other", "tumour"))
    bench.finish(run, bench.score(run))
    bench.panel.map_check.click()
    for layer in (*run.layers, run.class_map):
        assert run_of(layer) is run
        assert layer.metadata["medpatch_bundle"] is run.bundle
        assert layer.metadata["medpatch_result"] is run.result
        assert layer.units == bench.image.units
        assert tuple(layer.axis_labels) == tuple(bench.image.axis_labels)
        # The middle of cell (2, 3) is the middle of its patch.
        np.testing.assert_allclose(layer.data_to_world((2, 3)), bench.image.data_to_world((249.5, 349.5)))
    facts = run.layer_of("tumour").metadata["medpatch"]
    assert (facts["role"], facts["class_names"], facts["class_index"]) == ("heat map", ["other", "tumour"], 1)


def test_a_stopped_run_keeps_what_it_scored(bench: Bench) -> None:
    run = bench.begin(("other", "tumour"))
    bench.score(run, slice(0, 12))
    run.on_stopped()
    result = run.result
    assert len(result.grid.cells) == 12
    assert result.score["patches"] == 12
    assert result.provenance["complete"] is False
    assert np.isfinite(result.probabilities[tuple(result.grid.cells.T)]).all()
    assert all(layer.metadata["medpatch_result"] is result for layer in run.layers)


def test_buttons_open_the_docks_on_the_displayed_heat_map(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[Any] = []
    fake = SimpleNamespace(
        open_inspector=lambda viewer, layer: opened.append(("inspector", viewer, layer)),
        open_gallery=lambda viewer, layer: opened.append(("gallery", viewer, layer)),
    )
    monkeypatch.setitem(__import__("sys").modules, "napari_medpatch.plugin.result_docks", fake)
    run = bench.begin(("other", "tumour"))
    bench.finish(run, bench.score(run))
    bench.panel.inspect_button.click()
    bench.panel.class_combo.setCurrentText("uncertainty")
    bench.panel.gallery_button.click()
    tumour = run.layer_of("tumour")
    assert opened == [("inspector", bench.viewer, tumour), ("gallery", bench.viewer, tumour)]
    bench.viewer.layers.remove(tumour)
    bench.panel.gallery_button.click()
    assert "was removed" in bench.panel.title.text()


def test_the_class_map_takes_the_place_of_the_heat_map(bench: Bench) -> None:
    run = bench.begin(("other", "tumour"))
    bench.score(run)
    heat = run.layer_of("tumour")
    bench.panel.map_check.click()
    assert (run.class_map.visible, heat.visible) == (True, False)
    bench.panel.class_combo.setCurrentText("other")
    assert not run.layer_of("other").visible
    bench.panel.map_check.click()
    assert (run.class_map.visible, run.layer_of("other").visible, heat.visible) == (False, True, False)


def test_a_run_that_goes_on_replaces_the_one_that_was_stopped(bench: Bench) -> None:
    stopped = bench.begin(("other", "tumour"), threshold=0.3)
    bench.score(stopped, slice(0, 12))
    bench.panel.threshold.slider.setValue(650)
    stopped.on_stopped()
    again = bench.begin(("other", "tumour"), threshold=0.3)
    bench.finish(again, bench.score(again))
    assert not any(layer in bench.viewer.layers for layer in stopped.layers)
    assert bench.panel.run is again
    assert bench.panel.threshold.value() == pytest.approx(0.65)
    other = bench.begin(("other", "tumour"), model="another")
    bench.finish(other, bench.score(other))
    assert all(layer in bench.viewer.layers and not layer.visible for layer in again.layers)


def test_attention_is_drawn_as_weights_and_pools_the_slide(bench: Bench) -> None:
    run = bench.begin(("other", "tumour"), extras=("attention",))
    chances = np.linspace(0.1, 0.9, len(bench.cells), dtype=np.float32)
    values, logits = np.stack([1 - chances, chances], axis=1), (5 * chances - 9).astype(np.float32)
    boxes = bench.grid.boxes(bench.cells)
    run.on_events([PatchesScored(len(bench.cells), bench.cells, boxes, values, {"attention": logits})])
    bench.panel.update_scores(final=True)
    bench.panel.class_combo.setCurrentText("attention")
    layer = run.layer_of("attention")
    shown = layer.data[tuple(bench.cells.T)]
    np.testing.assert_allclose(shown, np.exp(logits - logits.max()), rtol=1e-5)
    weights = np.exp(logits.astype(np.float64))
    pooled = (weights * np.log(chances / (1 - chances))).sum() / weights.sum()
    assert bench.panel.table.horizontalHeaderItem(4).text() == "Attention"
    assert float(bench.cell(1, 4)) == pytest.approx(1 / (1 + np.exp(-pooled)), abs=1e-3)
    # The logits themselves stay what the job gave.
    np.testing.assert_array_equal(run.tally.extras["attention"][tuple(bench.cells.T)], logits)
