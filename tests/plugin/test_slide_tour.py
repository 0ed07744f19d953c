"""The tour that draws docs/slides.md: tissue, heat map, gallery and Grad-CAM in the real window."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_medpatch.models import registry
from napari_medpatch.plugin.slide_tour import SlideTour

SHIPPED = registry.SHIPPED


@pytest.mark.slow
def test_the_tour_shows_all_that_can_be_done_with_a_slide(
    viewer: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from PIL import Image

    monkeypatch.setattr(registry, "SHIPPED", SHIPPED)
    tour = SlideTour(viewer, tmp_path / "scratch", tmp_path / "pictures")
    pictures = tour.run()
    assert [path.stem for path in pictures] == [
        "slides-tissue", "slides-heat-map", "slides-gallery", "slides-grad-cam"
    ]  # fmt: skip
    images = [np.asarray(Image.open(path).convert("RGB")) for path in pictures]
    assert len({image.tobytes() for image in images}) == len(images)
    assert np.isfinite(tour.heat_map().data).any()
    maps = [layer for layer in viewer.layers if layer.metadata.get("medpatch", {}).get("role") == "grad-cam"]
    assert len(maps) == 1
    assert np.nanmax(maps[0].data) > 0.5
