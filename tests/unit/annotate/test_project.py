"""Project folders: where they lie, what they keep, whose they are."""

import os

import numpy as np
import pytest
from dicom_cases import write_series

from napari_medpatch.annotate.project import Project
from napari_medpatch.annotate.sparse import SparseLabels
from napari_medpatch.errors import DamagedFileError
from napari_medpatch.io.array_source import ArraySource
from napari_medpatch.io.detect import open_source
from napari_medpatch.io.fingerprint import fingerprint, same_image


def source_at(path, content: bytes = b"image") -> ArraySource:
    path.write_bytes(content)
    return ArraySource(np.zeros((4, 5, 6), np.int16), "volume", (1, 1, 1), path=path)


@pytest.fixture
def labels() -> SparseLabels:
    array = np.zeros((4, 5, 6), np.uint8)
    array[1], array[1, 2] = 1, 2
    return SparseLabels(array)


def test_the_folder_lies_beside_the_image_and_appears_with_the_first_save(tmp_path, labels):
    project = Project.for_source(source_at(tmp_path / "ct.nii.gz"))
    assert project.folder == tmp_path / "ct.nii.gz.medpatch"
    assert not project.folder.exists()
    assert not project.has_labels()
    project.save_labels(labels)
    assert (project.folder / "image.json").is_file()


def test_labels_are_offered_again_on_reopening(tmp_path, labels):
    path = tmp_path / "ct.nii"
    Project.for_source(source_at(path)).save_labels(labels, "my lungs/1")
    again = Project.for_source(source_at(path))
    assert again.has_labels()
    latest = again.latest_labels()
    np.testing.assert_array_equal(latest.labels.labels, labels.labels)
    assert latest.name == "my lungs-1"
    np.testing.assert_array_equal(again.load_labels("my lungs/1").labels.labels, labels.labels)


def test_the_newest_labels_come_first(tmp_path, labels):
    project = Project.for_source(source_at(tmp_path / "ct.nii"))
    for age, name in enumerate(("new", "old")):
        file = project.save_labels(labels, name)
        os.utime(file, ns=(0, 10**18 - age * 10**9))
    assert project.label_names() == ["new", "old"]


def test_another_image_of_that_name_gets_a_folder_of_its_own(tmp_path, labels):
    path = tmp_path / "ct.nii"
    first = Project.for_source(source_at(path, b"one"))
    first.save_labels(labels)
    second = Project.for_source(source_at(path, b"two"))
    assert second.folder != first.folder
    assert not second.has_labels()
    assert first.has_labels()


def test_a_copied_image_is_the_same_image(tmp_path):
    source = source_at(tmp_path / "a.nii")
    before = fingerprint(source)
    os.utime(tmp_path / "a.nii", ns=(1, 1))
    after = fingerprint(source)
    assert before["mtime_ns"] != after["mtime_ns"]
    assert same_image(before, after)
    assert not same_image(before, {**after, "size": 1})


def test_the_middle_of_a_file_counts(tmp_path):
    content = bytearray(400_000)
    one = fingerprint(source_at(tmp_path / "a.nii", bytes(content)))
    content[200_000] = 1
    other = fingerprint(source_at(tmp_path / "a.nii", bytes(content)))
    assert not same_image(one, other)


def test_without_a_file_the_users_folder_is_taken(monkeypatch, tmp_path, labels):
    monkeypatch.setenv("MEDPATCH_DATA", str(tmp_path / "data"))
    project = Project.for_source(ArraySource(np.zeros((4, 5, 6), np.int16), "volume"))
    assert project.folder.parent == tmp_path / "data" / "projects"
    project.save_labels(labels)
    assert project.has_labels()


def test_a_read_only_place_is_left_alone(monkeypatch, tmp_path):
    source = source_at(tmp_path / "ct.nii")
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert tmp_path not in Project.for_source(source).folder.parents


def test_settings_and_history(tmp_path):
    project = Project.for_source(source_at(tmp_path / "ct.nii"))
    assert project.settings() == {}
    project.save_settings({"brush": 5})
    project.record("fine-tuned", steps=3)
    project.record("exported", file="ä.nii")
    assert project.settings() == {"brush": 5}
    assert [entry["event"] for entry in project.history()] == ["fine-tuned", "exported"]


def test_damage_to_history_and_settings_is_survived(tmp_path):
    project = Project.for_source(source_at(tmp_path / "ct.nii"))
    project.record("first")
    with (project.folder / "history.jsonl").open("a") as file:
        file.write('{"event": "cut sh')
    (project.folder / "settings.json").write_text("{")
    assert [entry["event"] for entry in project.history()] == ["first"]
    assert project.settings() == {}


def test_new_bundles_never_overwrite(tmp_path):
    project = Project.for_source(source_at(tmp_path / "ct.nii"))
    first = project.new_bundle("lung/left")
    first.mkdir(parents=True)
    second = project.new_bundle("lung/left")
    assert (first.name, second.name) == ("lung-left-1", "lung-left-2")


def test_missing_labels_are_said_to_be_missing(tmp_path):
    with pytest.raises(DamagedFileError, match="labels"):
        Project.for_source(source_at(tmp_path / "ct.nii")).load_labels("gone")


def test_a_dicom_series_keeps_its_work_beside_the_folder(tmp_path, labels):
    """Not among the slices, where archives would import it; each series of a folder has a place of its own."""
    folder = write_series(tmp_path / "scan")
    for path in write_series(tmp_path / "b", SeriesInstanceUID="1.2.4", SeriesNumber=7).iterdir():
        path.rename(folder / f"b{path.name}")
    first, second = (open_source(folder, volume_index=n) for n in (0, 1))
    project = Project.for_source(first)
    assert project.folder == tmp_path / "scan.medpatch"
    project.save_labels(SparseLabels(np.resize(labels.labels, first.data.shape)))
    assert Project.for_source(open_source(folder / "b007.dcm")).folder != project.folder
    assert Project.for_source(second).folder != project.folder
    assert Project.for_source(open_source(folder / "007.dcm")).folder == project.folder
    assert same_image(fingerprint(first), fingerprint(open_source(folder, volume_index=0)))
