"""Stitch the Grad-CAM over what is seen, or over a drawn region."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_medpatch.events import Event, Job
from napari_medpatch.plugin.cam_overlay import CamOverlay
from napari_medpatch.plugin.form import add_row, combo, new_form
from napari_medpatch.plugin.heat_map import HeatMap
from napari_medpatch.plugin.job_row import JobRow
from napari_medpatch.plugin.jobs import JobRunner
from napari_medpatch.plugin.links import source_of
from napari_medpatch.plugin.region_layer import region_layers, region_of
from napari_medpatch.plugin.selection_frame import SelectionFrame
from napari_medpatch.plugin.tissue_layer import tissue_layer, tissue_of
from napari_medpatch.plugin.view_place import visible_box

if TYPE_CHECKING:
    import napari

    from napari_medpatch.infer.grad_cam import GradCam

_VIEW, _DRAWN = "the visible view", "the drawn region"


class StitchBox(QWidget):
    """A choice of region and a button.

    Parameters
    ----------
    viewer : napari.Viewer
        Where the overlay goes.
    make_cam : callable
        Returns, for the worker, what loads the model; called in the GUI thread.
    chosen_class : callable
        Returns the index of the class to explain, None for the one in the middle.
    frame : SelectionFrame
        Stays above the overlay.
    """

    def __init__(
        self,
        viewer: "napari.Viewer",
        make_cam: "Callable[[], Callable[[], GradCam]]",
        chosen_class: Callable[[], int | None],
        frame: SelectionFrame,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.viewer = viewer
        self.heat_map: HeatMap | None = None
        self.overlay: CamOverlay | None = None
        self._make_cam, self._chosen_class, self._frame = make_cam, chosen_class, frame
        self.runner = JobRunner(self)
        self.row = JobRow(
            self.runner,
            "&Stitch Grad-CAM",
            "Explain overlapping patches of the region and blend them into one map on a common scale.",
            if_stopped="what is drawn stays",
        )
        self.where = combo()
        self.where.addItems([_VIEW, _DRAWN])
        form = new_form()
        add_row(form, "Re&gion", self.where, "Draw a region in the Classify tab, or in any Shapes layer on the image.")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(form)
        layout.addWidget(self.row)
        self.row.run_button.clicked.connect(lambda _checked=False: self.run())
        self.runner.progressed.connect(self._on_progress)
        self.runner.finished.connect(self._on_result)

    def run(self) -> None:
        """Start stitching."""
        heat = self.heat_map
        if heat is None or heat.bundle is None:
            self.row.say("This heat map does not say which model made it; run the classification again.")
            return
        box, roi = visible_box(self.viewer, heat.image), None
        if self.where.currentText() == _DRAWN:
            roi = next(
                (r for r in (region_of(s, heat.image) for s in region_layers(self.viewer, heat.image)) if r), None
            )
            if roi is None:
                self.row.say("Draw a region first: a polygon or rectangle in a Shapes layer.")
                return
            box = _around(roi.bounds)
        elif not box.size:
            self.row.say("The image is out of sight; move it into the view first.")
            return
        bundle, image, cam, index = heat.bundle, heat.image, self._make_cam(), self._chosen_class()
        tissue = tissue_of(tissue_layer(self.viewer, image))

        def make_job() -> Job:
            from napari_medpatch.infer.explain import explain

            return explain(source_of(image), bundle, box, class_index=index, roi=roi, tissue=tissue, cam=cam())

        self.overlay = CamOverlay(self.viewer, image, bundle.card.name, self._frame.layer)
        self.runner.start(make_job)

    def _on_progress(self, events: list[Event]) -> None:
        if self.overlay is not None:
            self.overlay.on_events(events)
            if not self.overlay.image_is_there:
                self.runner.stop()

    def _on_result(self, result: Any) -> None:
        if self.overlay is not None:
            self.overlay.on_result(result)
            self.row.say(f"Brightness is the share of what spoke most for {result.class_name}; layer {result.layer}.")


def _around(bounds: tuple[float, float, float, float]) -> Any:
    import math

    from napari_medpatch.geometry import Box

    y0, x0, y1, x1 = bounds
    return Box((math.floor(y0), math.floor(x0)), (math.ceil(y1), math.ceil(x1)))
