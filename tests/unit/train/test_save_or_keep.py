"""A training whose folder is lost on the way keeps its model, and says where."""

from pathlib import Path
from typing import Any

import pytest

from napari_medpatch.annotate.sparse import SparseLabels
from napari_medpatch.errors import KeptElsewhereError, OutputError
from napari_medpatch.events import StepDone, run
from napari_medpatch.io.array_source import ArraySource
from napari_medpatch.io.project_folder import user_data_folder
from napari_medpatch.models.bundle import load_bundle
from napari_medpatch.models.network_size import bundle_bytes
from napari_medpatch.models.registry import list_models
from napari_medpatch.train import fine_tune_run
from napari_medpatch.train.fine_tune import FineTuneSettings, fine_tune
from napari_medpatch.train.fine_tune_result import FineTuneResult

QUICK = FineTuneSettings(steps=2, device="cpu", use_unlabelled=False)


@pytest.fixture
def labels(phantom: Any) -> SparseLabels:
    return SparseLabels.from_mask(phantom[1], [4, 12, 19], ("background", "dark", "bright"))


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder that is there when training begins."""
    (tmp_path / "disk").mkdir()
    return tmp_path / "disk"


def lose(place: Path) -> None:
    place.rmdir()
    place.write_text("in the way")


def trained(volume: ArraySource, labels: SparseLabels, place: Path, settings: FineTuneSettings = QUICK) -> Any:
    """Run a job whose folder is lost at the first step."""
    result = None
    for event in fine_tune(volume, labels, settings=settings, out=place / "model"):
        if isinstance(event, StepDone) and event.step == 1:
            lose(place)
        result = getattr(event, "result", result)
    return result


def test_the_model_is_listed_among_the_users_and_the_mask_is_made(
    volume: ArraySource, labels: SparseLabels, place: Path
) -> None:
    with pytest.raises(KeptElsewhereError) as caught:
        trained(volume, labels, place)
    kept = user_data_folder() / "models" / "kept-model"
    assert f"; the trained model is kept in {kept}: use it from there, or move" in str(caught.value)
    assert f"{place / 'model'} cannot be written because a file" in str(caught.value)
    result = caught.value.result
    assert isinstance(result, FineTuneResult)
    assert result.mask is not None
    assert result.mask.shape == (24, 40, 40)
    assert result.bundle == load_bundle(kept)
    assert result.bundle.load() is not None
    assert "kept-model" in [bundle.card.name for bundle in list_models()]
    assert place.read_text() == "in the way"


def test_a_training_that_is_stopped_says_so_too(volume: ArraySource, labels: SparseLabels, place: Path) -> None:
    job = fine_tune(volume, labels, settings=FineTuneSettings(steps=1000, device="cpu"), out=place / "model")
    next(event for event in job if isinstance(event, StepDone))
    lose(place)
    with pytest.raises(KeptElsewhereError, match="the trained model is kept in") as caught:
        job.close()
    assert caught.value.result is None
    assert load_bundle(user_data_folder() / "models" / "kept-model").card.training["steps"] == 1


def test_a_model_that_can_be_kept_nowhere_is_an_error(
    volume: ArraySource, labels: SparseLabels, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("napari_medpatch.models.bundle.write_weights", full)
    with pytest.raises(OutputError, match=r"The disk is full: .*, nor could the trained model be kept"):
        run(fine_tune(volume, labels, settings=QUICK, out=place / "model"))
    assert list(place.iterdir()) == []


def test_a_disk_without_room_is_told_before_training(
    volume: ArraySource, labels: SparseLabels, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("napari_medpatch.io.free_space.free_bytes", lambda _: 50_000)
    monkeypatch.setattr(fine_tune_run, "pose_problem", None)
    with pytest.raises(OutputError, match=r"has 50 kB free and the model takes .*; free some space"):
        run(fine_tune(volume, labels, settings=QUICK, out=place / "model"))


def test_the_room_is_what_the_bundle_takes(volume: ArraySource, labels: SparseLabels, place: Path) -> None:
    bundle = run(fine_tune(volume, labels, settings=QUICK, out=place / "model")).bundle
    taken = sum(path.stat().st_size for path in bundle.path.iterdir())
    assert taken <= bundle_bytes(bundle.card) < taken + 65_536
