"""Heat map layers as a finished run leaves them, and clicks on the canvas, for the tests of the docks."""

from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from napari_medpatch.events import run
from napari_medpatch.infer.classify import ClassifySettings, classify
from napari_medpatch.io.detect import open_source
from napari_medpatch.plugin.layers import like_source, provenance
from napari_medpatch.plugin.links import belongs_to
from napari_medpatch.plugin.open import open_paths

CPU = ClassifySettings(device="cpu")

_scored: dict[Path, Any] = {}
"""Results by slide: every test has the same model, so that one run does for all."""


def scored_slide(viewer: Any, slide: Path, bundle: Any) -> Any:
    """Open a slide and show the heat map of its second class, with what the contract puts into its metadata."""
    open_paths(viewer, [slide])
    if slide not in _scored:
        with closing(open_source(slide)) as source:
            _scored[slide] = run(classify(source, bundle, CPU))
    return add_heat(viewer, viewer.layers[0], bundle, _scored[slide])


def add_heat(viewer: Any, image: Any, bundle: Any, result: Any, index: int = 1) -> Any:
    facts = {"model": bundle.card.name, "class_names": list(result.class_names), "class_index": index}
    layer = viewer.add_image(
        result.probabilities[..., index].copy(),
        name=f"p({result.class_names[index]})",
        metadata=provenance(image, "heat map", **facts) | {"medpatch_bundle": bundle, "medpatch_result": result},
        **like_source(image, result.grid.transform(None)),
    )
    belongs_to(layer, image)
    return layer


def click(viewer: Any, position: Any, *, drag: float = 0, button: int = 1) -> None:
    """Press, move and release as the canvas does."""
    from napari.utils.interactions import mouse_move_callbacks, mouse_press_callbacks, mouse_release_callbacks

    event = SimpleNamespace(
        type="mouse_press", pos=np.array([100.0, 100.0]), position=tuple(position), button=button,
        buttons=[button], modifiers=(), is_dragging=False, handled=False, dims_displayed=[0, 1], native=None,
    )  # fmt: skip
    mouse_press_callbacks(viewer, event)
    event.type, event.pos, event.is_dragging = "mouse_move", event.pos + drag, True
    mouse_move_callbacks(viewer, event)
    event.type = "mouse_release"
    mouse_release_callbacks(viewer, event)


def look(qtbot: Any, inspector: Any) -> None:
    """Wait until nothing is read or explained any more."""
    qtbot.waitUntil(lambda: not inspector.runner.is_running and not inspector._waiting, timeout=30000)
    qtbot.wait(20)


def finish_pictures(qtbot: Any, gallery: Any) -> None:
    qtbot.waitUntil(lambda: not gallery.runner.is_running, timeout=30000)
    qtbot.wait(20)
