"""What is done and drawn for docs/volumes.md."""

from pathlib import Path

import numpy as np

from napari_medpatch.infer.clean.registry import parse_step
from napari_medpatch.io.export import write_mask
from napari_medpatch.io.labels_file import read_labels
from napari_medpatch.plugin.demo_window import CLASSES
from napari_medpatch.plugin.layers import like_source, mask_colours, provenance
from napari_medpatch.plugin.links import belongs_to
from napari_medpatch.plugin.planes_dock import planes_of
from napari_medpatch.plugin.tour import Tour
from napari_medpatch.samples import sample_path
from napari_medpatch.samples.thorax import LUNG_VALUES

_CLASS_OF = np.array([0, 0, 1, 1, 3, 2, 4, 5], np.uint8)


class LookTour(Tour):
    """The sample CT with its truth: three linked planes, one of them painted in, then the surfaces."""

    def _visit(self, seconds: int) -> None:
        self.open("thorax")
        self.add_truth()
        self.spin(6.0)  # napari's first messages go
        box = self.panel.open_tab.volume_box
        box.window_box.use_preset("mediastinum")
        box.planes_button.click()
        self.spin(1.0)
        self.paint_coronally()
        self.picture("volumes-planes")
        box.planes_button.click()
        self.viewer.layers.remove("strokes")
        box.surfaces.row.run_button.click()
        self.wait_until(lambda: not box.surfaces.is_busy)
        lungs = self.viewer.layers["mask lung surface"]
        lungs.opacity, lungs.blending = 0.35, "translucent_no_depth"  # what lies inside is seen
        self.viewer.layers.selection.active = self.viewer.layers["mask"]
        self.spin(1.0)
        self.picture("volumes-3d")

    def add_truth(self) -> None:
        """Add the truth as a mask; it also has the body, and each lung by itself."""
        from napari.layers import Labels
        from napari.utils.colormaps import DirectLabelColormap

        image, source = self.viewer.layers[0], self.panel.current.live
        mask = Labels(
            _CLASS_OF[read_labels(sample_path("thorax_truth"), source)],
            name="mask",
            opacity=0.5,
            colormap=DirectLabelColormap(color_dict=mask_colours(len(CLASSES))),
            metadata=provenance(image, "mask", class_names=list(CLASSES)),
            **like_source(image),
        )
        belongs_to(mask, image)
        self.viewer.add_layer(mask)

    def paint_coronally(self) -> None:
        """Paint a stroke in the coronal plane, as with the mouse, and leave the cursor on it."""
        from napari.layers import Labels

        image, dock = self.viewer.layers[0], planes_of(self.viewer)
        strokes = Labels(np.zeros(image.data.shape, np.uint8), name="strokes", **like_source(image))
        self.viewer.add_layer(strokes)
        z, y, x = (n // 2 for n in image.data.shape)
        dock.cursor.go_to(image.data_to_world((z, y, x)))
        strokes.mode, strokes.selected_label, strokes.brush_size = "paint", 2, max(3, x // 12)
        twin = dock.mirror.twin(strokes, dock.views[0].model)
        for step in range(16):
            twin.paint((z + step * z // 40, y, x + step), 2)
        strokes.mode = "pan_zoom"


class MeasureTour(Tour):
    """The shipped lung model on the phantom thorax, compared with the phantom's own lungs."""

    def _visit(self, seconds: int) -> None:
        self.open("thorax")
        self.segment()
        self.measure()
        self.picture("volumes-measure")

    def measure(self) -> None:
        """Load the truth from a file, compare, and look at the lowest slice."""
        tab = self.panel.measure_tab
        self.panel.show_tab(tab)
        path = self._truth()
        self.wait(tab.runner, lambda: tab.load_truth(path))
        self.wait(tab.runner, tab.row.run_button.click)
        for layer in list(self.viewer.layers)[1:-1]:
            layer.visible = False
        tab.results.go_to(30)

    def _truth(self) -> Path:
        """Write the lungs of the sample's truth into a file, as a radiologist's mask would come."""
        source = self.panel.current.live
        labels = read_labels(sample_path("thorax_truth"), source)
        lungs = np.isin(labels, LUNG_VALUES).astype(np.uint8)
        return write_mask(lungs, source, self.scratch / "truth.nii.gz", class_names=("lung",))


class WorkTour(Tour):
    """Segment and clean the sample, propose between painted slices, export."""

    def _visit(self, seconds: int) -> None:
        self.open("thorax")
        self.segment()
        self.clean()
        self.picture("volumes-clean")
        self.paint()
        self.propose()
        self.picture("volumes-between")
        self.write_mesh()
        self.picture("volumes-export")

    def clean(self) -> None:
        """Split the lungs in the patient's left and right, and smooth them."""
        box = self.panel.segment_tab.clean_box
        box.open(True)
        box.steps.show_steps([parse_step("drop:5ml"), parse_step("split-left-right"), parse_step("smooth:2mm")])
        self.wait(box.runner, box.apply)
        self.spin(1.0)

    def propose(self) -> None:
        """Fill between the painted slices, and look at one of those in between."""
        box = self.panel.annotate_tab.between
        box.open(True)
        self.wait(box.runner, box.propose)
        self.look_at_slice(self.viewer.dims.current_step[0] + 3)

    def write_mesh(self) -> None:
        """Show what the Export tab offers for a mask."""
        self.panel.annotate_tab.between.discard()
        tab = self.panel.export_tab
        self.panel.show_tab(tab)
        masks = [layer for layer in self.viewer.layers if layer.metadata.get("medpatch", {}).get("role") == "mask"]
        self.viewer.layers.selection.active = masks[-1]
        masks[-1].visible = True
        tab.format_combo.setCurrentIndex(tab.format_combo.findData(".stl"))
        tab.path.setText("lungs.stl")
        self.wait(tab.runner, tab.row.run_button.click)


VOLUME_TOURS: tuple[type[Tour], ...] = (LookTour, MeasureTour, WorkTour)
