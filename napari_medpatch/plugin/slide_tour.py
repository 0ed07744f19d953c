"""The tour of what can be done with a classified slide: tissue, heat map, gallery, Grad-CAM."""

from pathlib import Path
from typing import TYPE_CHECKING

from napari_medpatch.plugin.tour import Tour

if TYPE_CHECKING:
    import napari.layers

_MODEL, _STRIDE_UM = "tissue-patches-demo", 48.0


class SlideTour(Tour):
    """Corrects the tissue mask, classifies, flies to a patch from the gallery and asks where the model looked."""

    def run(self, seconds: int = 0) -> list[Path]:
        """Work through the slide; returns the pictures.

        Parameters
        ----------
        seconds : int
            Not used: nothing is trained here.
        """
        return super().run(seconds)

    def _visit(self, seconds: int) -> None:
        self.open("slide")
        self.panel.show_tab(self.panel.classify_tab)
        self.correct_tissue()
        self.picture("slides-tissue")
        self.score()
        self.picture("slides-heat-map")
        self.browse()
        self.picture("slides-gallery")
        self.explain()
        self.picture("slides-grad-cam")

    def correct_tissue(self) -> None:
        """Show the tissue mask and rub out a piece of it, as with the brush."""
        from napari_medpatch.plugin.tissue_layer import tissue_layer

        box = self.panel.classify_tab.tissue
        self.wait(box.runner, box.show_button.click)
        layer = tissue_layer(self.viewer, self.panel.current.layer)
        rows, columns = (n for n in layer.data.shape)
        layer.brush_size = max(rows, columns) // 12
        for step in range(12):
            layer.paint((rows * 0.62, columns * (0.45 + 0.02 * step)), 0)
        self.viewer.layers.selection.active = layer
        layer.mode = "paint"
        self.spin(1.0)

    def score(self) -> None:
        """Classify on a dense grid, with the corrected mask."""
        from napari_medpatch.plugin.tissue_layer import tissue_layer

        tab = self.panel.classify_tab
        tissue_layer(self.viewer, self.panel.current.layer).visible = False
        self.viewer.layers.selection.active = self.panel.current.layer
        tab.model.choose(_MODEL)
        tab.form.step.choose("stride")
        tab.form.step.numbers["stride"].setValue(_STRIDE_UM)
        self.wait(tab.runner, tab.row.run_button.click)
        # The results are what the picture is about.
        bar = tab._area.verticalScrollBar()
        bar.setValue(bar.maximum())

    def browse(self) -> None:
        """Open the gallery and let it read its pictures."""
        from napari_medpatch.plugin.result_docks import open_gallery

        self.gallery = open_gallery(self.viewer, self.heat_map())
        self.wait_until(lambda: len(self.gallery.pictures) > 0 and not self.gallery.runner.is_running)

    def explain(self) -> None:
        """Double-click the highest patch, then stitch its surroundings."""
        from napari_medpatch.plugin.result_docks import open_inspector

        self.gallery.most.itemDoubleClicked.emit(self.gallery.most.item(0))
        inspector = open_inspector(self.viewer, self.heat_map())
        self.wait_until(lambda: inspector.view is not None)
        for layer in self.viewer.layers:
            layer.visible = layer is self.panel.current.layer or layer is inspector.frame.layer
        self.viewer.camera.zoom *= 0.5
        self.spin(0.5)
        self.wait(inspector.stitch.runner, inspector.stitch.row.run_button.click)

    def heat_map(self) -> "napari.layers.Layer":
        """Return the heat map of the class that is shown."""
        run = self.panel.classify_tab.overlay
        return run.layer_of(run.class_names[-1])
