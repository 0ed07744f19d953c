"""The tour that draws the documentation: the shipped models in the real window, from open to export."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_medpatch.models import registry
from napari_medpatch.plugin.tour import Tour

SHIPPED = registry.SHIPPED


@pytest.mark.slow
def test_the_tour_takes_a_picture_of_every_job(viewer: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from PIL import Image

    monkeypatch.setattr(registry, "SHIPPED", SHIPPED)
    pictures = Tour(viewer, tmp_path / "scratch", tmp_path / "pictures").run(5)
    assert [path.stem for path in pictures] == ["start", "open", "segment", "strokes", "paint", "export", "classify"]
    images = [np.asarray(Image.open(path).convert("RGB")) for path in pictures]
    assert all(image.std() > 20 for image in images)
    assert len({image.tobytes() for image in images}) == len(images)
    heat = [layer for layer in viewer.layers if layer.name.endswith("p(tumor)")]
    assert len(heat) == 1
    assert np.isfinite(heat[0].data).any()
