"""Readers, samples and opening in scripts: the same layers whichever way a file comes in; no window."""

from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
from napari.components import ViewerModel

from napari_medpatch.errors import ChoiceNeededError, DamagedFileError, MedPatchError, UnsupportedFormatError
from napari_medpatch.events import Finished
from napari_medpatch.io.hu import HU_WINDOWS
from napari_medpatch.io.lazy_level import LazyLevel
from napari_medpatch.io.tile_cache import CACHE_VARIABLE, default_cache
from napari_medpatch.plugin.layers import META
from napari_medpatch.plugin.open import open_or_choose, open_paths, tile_cache
from napari_medpatch.plugin.readers import get_photo_reader, get_slide_reader, get_volume_reader
from napari_medpatch.plugin.samples import SAMPLES, sample_file, sample_ihc, sample_retina
from napari_medpatch.plugin.settings import keep, preference

READERS = {"slide": get_slide_reader, "photo": get_photo_reader, "volume": get_volume_reader}


@pytest.fixture
def ct_file(tmp_path: Path) -> Path:
    values = np.random.default_rng(0).integers(-1000, 500, (6, 7, 8)).astype(np.int16)
    nibabel.save(nibabel.Nifti1Image(values, np.diag([1.5, 1.5, 3.0, 1])), tmp_path / "ct.nii.gz")
    return tmp_path / "ct.nii.gz"


@pytest.fixture
def perfusion_file(tmp_path: Path) -> Path:
    values = np.arange(5 * 4 * 3 * 2, dtype=np.int16).reshape(5, 4, 3, 2)
    nibabel.save(nibabel.Nifti1Image(values, np.eye(4)), tmp_path / "perfusion.nii")
    return tmp_path / "perfusion.nii"


@pytest.fixture
def photo_file(tmp_path: Path) -> Path:
    from PIL import Image

    Image.fromarray(np.random.default_rng(0).integers(0, 255, (20, 30, 3)).astype(np.uint8)).save(tmp_path / "eye.png")
    return tmp_path / "eye.png"


def test_each_file_has_exactly_one_reader(slide_file: Path, ct_file: Path, photo_file: Path) -> None:
    for path, kind in ((slide_file, "slide"), (ct_file, "volume"), (photo_file, "photo")):
        takers = [name for name, reader in READERS.items() if reader(str(path)) is not None]
        assert takers == [kind]


def test_signature_decides_not_the_suffix(photo_file: Path) -> None:
    disguised = photo_file.rename(photo_file.with_suffix(".svs"))
    assert get_slide_reader(str(disguised)) is None
    assert get_photo_reader(str(disguised)) is not None


def test_folders_are_ours_only_with_dicom_images(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("nothing")
    assert [reader(str(tmp_path)) for reader in READERS.values()] == [None, None, None]


def test_a_stack_of_files_is_not_ours(ct_file: Path) -> None:
    assert get_volume_reader([str(ct_file)]) is not None
    assert get_volume_reader([str(ct_file), str(ct_file)]) is None


@pytest.mark.parametrize(
    ("name", "content", "error"),
    [("cut.nii.gz", b"\x1f\x8b\x08\0", DamagedFileError), ("list.svs", b"just text\n", UnsupportedFormatError)],
)
def test_broken_files_are_claimed_and_refused_in_a_sentence(
    tmp_path: Path, name: str, content: bytes, error: type[MedPatchError]
) -> None:
    (tmp_path / name).write_bytes(content)
    read = get_slide_reader(str(tmp_path / name)) or get_volume_reader(str(tmp_path / name))
    assert read is not None
    with pytest.raises(error, match=name) as caught:
        read(str(tmp_path / name))
    assert "\n" not in str(caught.value)


def test_reader_script_and_viewer_give_the_same_layer(ct_file: Path) -> None:
    read = get_volume_reader(str(ct_file))
    assert read is not None
    ((data, attributes, _),) = read(str(ct_file))
    by_script, by_napari = ViewerModel(), ViewerModel()
    (layer,) = open_paths(by_script, [ct_file])
    (other,) = by_napari.open(ct_file, plugin="napari-medpatch")
    for each in (layer, other):
        assert np.array_equal(each.data, data)
        assert each.contrast_limits == list(HU_WINDOWS["lung"])
        np.testing.assert_allclose(each.scale, (3.0, 1.5, 1.5))
        assert [str(unit) for unit in each.units] == ["millimeter"] * 3
        assert each.metadata[META] == attributes["metadata"][META]


def test_slide_is_lazy_calibrated_and_pyramidal(slide_file: Path) -> None:
    (layer,) = open_paths(ViewerModel(), [slide_file])
    assert layer.multiscale
    assert all(isinstance(level, LazyLevel) for level in layer.data)
    np.testing.assert_allclose(layer.scale, (0.5, 0.5), rtol=1e-3)
    assert [str(unit) for unit in layer.units] == ["micrometer"] * 2


def test_given_pixel_size_wins_and_missing_one_is_said(slide_file: Path, said: list[str], monkeypatch: Any) -> None:
    (layer,) = open_paths(ViewerModel(), [slide_file], mpp=(0.3, 0.25))
    assert layer.scale.tolist() == [0.3, 0.25]
    assert said == []
    from napari_medpatch.io import detect
    from napari_medpatch.io.array_source import ArraySource

    bare = ArraySource(np.zeros((40, 50, 3), np.uint8), "slide", path="bare.tiff")
    monkeypatch.setattr(detect, "open_steps", lambda *_, **__: iter([Finished(bare)]))
    (layer,) = open_paths(ViewerModel(), ["bare.tiff"])
    assert layer.scale.tolist() == [1, 1]
    assert len(said) == 1
    assert "bare.tiff does not say how large its pixels are" in said[0]


def test_several_volumes_first_one_in_scripts_asked_for_in_windows(perfusion_file: Path, said: list[str]) -> None:
    first = open_or_choose(perfusion_file)
    assert first is not None
    assert first.metadata["volume_index"] == 0
    assert "holds 2 volumes" in said[0]
    asked: list[ChoiceNeededError] = []

    def choose(question: ChoiceNeededError) -> int:
        asked.append(question)
        return 1

    second = open_or_choose(perfusion_file, choose=choose)
    assert second is not None
    assert second.metadata["volume_index"] == 1
    assert len(asked[0].choices) == 2
    assert open_or_choose(perfusion_file, choose=lambda _question: None) is None
    with pytest.raises(ChoiceNeededError):
        open_or_choose(perfusion_file, volume_index=7)


def test_samples_from_scikit_image_open_offline() -> None:
    for sample in (sample_retina, sample_ihc):
        ((data, attributes, _),) = sample()
        assert data.ndim == 3
        assert attributes["metadata"][META]["kind"] == "photo"


@pytest.mark.parametrize("key", sorted(SAMPLES))
def test_every_sample_has_a_file(key: str) -> None:
    assert sample_file(key).is_file()


def test_preferences_are_kept_by_napari(tmp_path: Path) -> None:
    assert preference("volumes", "hu_window") == "lung"
    keep("volumes", "hu_window", "bone")
    assert preference("volumes", "hu_window") == "bone"
    assert "bone" in (tmp_path / "napari-medpatch.yaml").read_text()


def test_preferences_work_without_the_manifest_registered(npe2pm: Any) -> None:
    from napari.settings import _clear_plugin_settings_cache

    npe2pm.unregister("napari-medpatch")
    _clear_plugin_settings_cache()
    assert preference("learning", "seconds") == 60
    keep("learning", "seconds", 30)
    assert preference("learning", "seconds") == 30
    keep("learning", "seconds", 60)


def test_tile_cache_follows_the_preference_and_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    before = preference("slides", "cache_mb")
    cache = tile_cache()
    assert cache is default_cache()
    assert cache.max_bytes == before * 1_000_000
    keep("slides", "cache_mb", 128)
    assert tile_cache() is cache
    assert cache.max_bytes == 128_000_000
    monkeypatch.setenv(CACHE_VARIABLE, "70")
    assert tile_cache().max_bytes == 70_000_000
    monkeypatch.delenv(CACHE_VARIABLE)
    keep("slides", "cache_mb", before)
    assert tile_cache().max_bytes == before * 1_000_000
