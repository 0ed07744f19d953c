"""Draw the picture of the Measure tab again: ``scripts/screenshots_measure.py docs/images``."""

import argparse
import os
import tempfile
from pathlib import Path

from napari_medpatch.plugin.tour import Tour

_SIZE = (1500, 990)


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
        import numpy as np

        from napari_medpatch.io.export import write_mask
        from napari_medpatch.io.labels_file import read_labels
        from napari_medpatch.samples import sample_path
        from napari_medpatch.samples.thorax import LUNG_VALUES

        source = self.panel.current.live
        labels = read_labels(sample_path("thorax_truth"), source)
        lungs = np.isin(labels, LUNG_VALUES).astype(np.uint8)
        return write_mask(lungs, source, self.scratch / "truth.nii.gz", class_names=("lung",))


def picture_window(tour: type[Tour], folder: Path, theme: str = "dark") -> list[Path]:
    """Open a window with settings of its own, and take a tour of it.

    Parameters
    ----------
    tour : type of Tour
        What is done and drawn.
    folder : Path
        Where the pictures go.
    theme : str
        ``"dark"`` or ``"light"``.
    """
    with tempfile.TemporaryDirectory() as scratch:
        os.environ["NAPARI_CONFIG"] = str(Path(scratch) / "settings.yaml")
        import napari

        viewer = napari.Viewer(show_welcome_screen=False)
        viewer.theme = theme
        viewer.window.resize(*_SIZE)
        try:
            return tour(viewer, Path(scratch), folder).run(0)
        finally:
            viewer.close()


def main() -> None:
    """Write the picture into a folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--theme", choices=["dark", "light"], default="dark")
    arguments = parser.parse_args()
    for path in picture_window(MeasureTour, arguments.folder, arguments.theme):
        print(path)


if __name__ == "__main__":
    main()
