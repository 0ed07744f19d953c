"""``--cache-mb`` bounds the tile cache of whatever the command reads."""

from pathlib import Path

import pytest

from napari_medpatch.cli.main import main
from napari_medpatch.io import tile_cache
from napari_medpatch.samples.slide import make_slide


@pytest.fixture
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that has not made its cache yet, with an environment that is put back."""
    monkeypatch.setattr(tile_cache, "_shared", [])
    monkeypatch.setenv(tile_cache.CACHE_VARIABLE, "")


@pytest.mark.usefixtures("fresh")
def test_the_option_sizes_the_shared_cache(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_slide(tmp_path / "a.tif", size=(128, 128))
    assert main(["info", str(tmp_path / "a.tif"), "--cache-mb", "7"]) == 0
    assert tile_cache.default_cache().max_bytes == 7_000_000
    assert "128" in capsys.readouterr().out


@pytest.mark.usefixtures("fresh")
def test_a_senseless_option_is_bad_input(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_slide(tmp_path / "a.tif", size=(128, 128))
    assert main(["info", str(tmp_path / "a.tif"), "--cache-mb", "lots"]) == 2
    assert "'lots'; give a number of megabytes such as 512" in capsys.readouterr().err
