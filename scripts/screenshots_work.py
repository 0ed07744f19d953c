"""Draw the pictures of docs/volumes.md about working on masks: ``scripts/screenshots_work.py docs/images``."""

import argparse
from pathlib import Path

from screenshots_measure import picture_window

from napari_medpatch.plugin.tour import Tour


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
        from napari_medpatch.infer.clean.registry import parse_step

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


def main() -> None:
    """Write the pictures into a folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--theme", choices=["dark", "light"], default="dark")
    arguments = parser.parse_args()
    for path in picture_window(WorkTour, arguments.folder, arguments.theme):
        print(path)


if __name__ == "__main__":
    main()
