from pathlib import Path

import nibabel
import numpy as np
import pytest

from napari_medpatch.cli import partial_mask
from napari_medpatch.cli.partial_mask import PartialMask
from napari_medpatch.events import BlockSegmented, Event, Started
from napari_medpatch.geometry import Box
from napari_medpatch.io.array_source import ArraySource

SHAPE = (4, 5, 6)


def events() -> list[Event]:
    blocks = [
        BlockSegmented(i + 1, Box((i, 0, 0), (i + 1, 5, 6)), np.full((1, 5, 6), i + 1, np.uint8)) for i in range(3)
    ]
    return [Started(4, "blocks", context={"shape": SHAPE, "classes": ("a", "b", "c")}), *blocks]


@pytest.fixture
def partial(tmp_path: Path) -> PartialMask:
    source = ArraySource(np.zeros(SHAPE, np.int16), "volume", (1.0, 1.0, 1.0))
    return PartialMask(source, tmp_path / "mask.nii.gz", "net")


def read(path: Path) -> np.ndarray:
    return np.asarray(nibabel.load(path).dataobj).transpose(2, 1, 0)


def test_stopping_writes_what_is_done(partial: PartialMask) -> None:
    for event in events():
        partial.take(event)
    assert not partial.path.exists(), "a job that ends soon writes nothing in between"
    partial.save()
    partial.close()
    assert partial.path.name == "partial-mask.nii.gz"
    found = read(partial.path)
    assert found.shape == SHAPE
    assert sorted(np.unique(found)) == [0, 1, 2, 3]
    assert (found > 0).sum() == 90
    partial.remove()
    assert not partial.path.exists()


def test_nothing_is_written_before_there_is_something(partial: PartialMask) -> None:
    partial.save()
    partial.take(events()[0])
    partial.save()
    partial.close()
    assert list(partial.path.parent.iterdir()) == []


def test_it_is_written_now_and_then_without_waiting(partial: PartialMask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(partial_mask, "_EVERY_SECONDS", -1.0)
    for event in events()[:2]:
        partial.take(event)
    partial.close()
    assert (read(partial.path) == 1).sum() == 30


def test_a_full_disk_does_not_end_the_job(partial: PartialMask, monkeypatch: pytest.MonkeyPatch) -> None:
    from napari_medpatch.errors import OutputError

    def full(*_args: object, **_others: object) -> None:
        raise OutputError("The disk is full.")

    monkeypatch.setattr("napari_medpatch.io.export.write_mask", full)
    monkeypatch.setattr(partial_mask, "_EVERY_SECONDS", -1.0)
    for event in events():
        partial.take(event)
    partial.remove()
    partial.close()
    assert not partial.path.exists()
