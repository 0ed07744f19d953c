"""Drives the real window through the four jobs on sample data and takes its picture after each.

``python -m napari_medpatch.plugin.demo_window FOLDER`` writes the pictures into FOLDER; so do ``make demo`` and
``make screenshots``. It clicks the buttons that users click and waits for the workers.
"""

import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import napari

    from napari_medpatch.plugin.tour import Tour

_SIZE = (1500, 950)
CLASSES = ("lung", "heart", "airway", "vessel", "nodule")


def take_screenshots(
    folder: str | os.PathLike[str], *, seconds: int = 20, theme: str = "dark", slides: bool = False
) -> list[Path]:
    """Work through open, classify, segment, paint and export, and save a picture of the window after each.

    Parameters
    ----------
    folder : path-like
        Where ``start.png``, ``open.png``, ``segment.png``, ``strokes.png``, ``paint.png``, ``export.png`` and
        ``classify.png`` go.
    seconds : int
        Time budget of the retraining.
    theme : str
        ``"dark"`` or ``"light"``.
    slides : bool
        Take the pictures of what can be done with a classified slide instead.

    Returns
    -------
    list of Path
        The pictures.
    """
    from napari_medpatch.plugin.slide_tour import SlideTour
    from napari_medpatch.plugin.tour import Tour

    return visit(SlideTour if slides else Tour, Path(folder), seconds=seconds, theme=theme)


def visit(tour: "type[Tour]", folder: Path, *, seconds: int = 0, theme: str = "dark") -> list[Path]:
    """Open a window with settings of its own, and take a tour of it.

    Parameters
    ----------
    tour : type of Tour
        What is done and drawn.
    folder : Path
        Where the pictures go.
    seconds : int
        Time budget of a retraining.
    theme : str
        ``"dark"`` or ``"light"``.

    Returns
    -------
    list of Path
        The pictures.
    """
    with tempfile.TemporaryDirectory() as scratch:
        # Preferences, strokes and exports of the demonstration are nobody's but its own.
        os.environ["NAPARI_CONFIG"] = str(Path(scratch) / "settings.yaml")
        import napari

        viewer = napari.Viewer(show_welcome_screen=False)
        viewer.theme = theme
        viewer.window.resize(*_SIZE)
        try:
            return tour(viewer, Path(scratch), folder).run(seconds)
        finally:
            viewer.close()


def show_results(viewer: "napari.Viewer", folder: Path) -> None:
    """Open the sample CT with the masks that ``napari-medpatch demo`` wrote.

    Parameters
    ----------
    viewer : napari.Viewer
        Where.
    folder : Path
        Of the demonstration.
    """
    from napari_medpatch.io.labels_file import read_labels
    from napari_medpatch.plugin.layers import like_source, mask_colours, provenance
    from napari_medpatch.plugin.links import belongs_to, source_of
    from napari_medpatch.plugin.open import open_paths
    from napari_medpatch.plugin.samples import sample_file

    (image,) = open_paths(viewer, [sample_file("thorax")])
    from napari.layers import Labels
    from napari.utils.colormaps import DirectLabelColormap

    for path in sorted(folder.glob("thorax_*.nii.gz")):
        if "probability" in path.name:
            continue
        mask = read_labels(path, source_of(image))
        layer = Labels(
            mask,
            name=path.name.removesuffix(".nii.gz"),
            colormap=DirectLabelColormap(color_dict=mask_colours(int(mask.max()))),
            metadata=provenance(image, "mask", class_names=list(CLASSES[: int(mask.max())])),
            **like_source(image),
        )
        belongs_to(layer, image)
        viewer.add_layer(layer)


if __name__ == "__main__":
    take_screenshots(Path(sys.argv[1]), theme=sys.argv[2] if len(sys.argv) > 2 else "dark")
