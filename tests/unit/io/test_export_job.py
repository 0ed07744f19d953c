"""Exports as jobs: progress, stopping, a file per class, what is said on the way."""

import errno
import threading

import nibabel as nib
import numpy as np
import pytest
from PIL import Image

from napari_medpatch.errors import GeometryError, LabelsError, OutputError, SettingsError
from napari_medpatch.events import Finished, Started, Working, run
from napari_medpatch.io.array_source import ArraySource
from napari_medpatch.io.export import check_output, write_mask, write_volume
from napari_medpatch.io.export_job import exporting_mask, exporting_probabilities, exporting_volume
from napari_medpatch.io.export_options import ExportOptions, window_of
from napari_medpatch.io.export_steps import in_thread
from napari_medpatch.io.labels_file import read_labels
from napari_medpatch.io.volume import VolumeSource
from napari_medpatch.steps import finish

RNG = np.random.default_rng(0)
ALL = ["m.nii.gz", "m.nrrd", "m.seg.nrrd", "m.mha", "m.stl", "m.ply", "m.ome.tiff", "slices"]


@pytest.fixture
def volume() -> ArraySource:
    return ArraySource(RNG.integers(-1000, 1000, (6, 7, 8)), "volume", spacing=(2.0, 1.0, 1.0))


@pytest.fixture
def mask(volume: ArraySource) -> np.ndarray:
    values = np.zeros(volume.data.shape, np.uint8)
    values[1:4, 1:4, 1:4], values[4:, 4:, 4:] = 1, 2
    return values


@pytest.mark.parametrize("name", ALL)
def test_progress_goes_up_to_the_end(tmp_path, volume, mask, name):
    events = list(exporting_mask(mask, volume, tmp_path / name, class_names=("a", "b")))
    assert (events[0], type(events[-1])) == (Started(100, "%"), Finished)
    done = [event.done for event in events if isinstance(event, Working)]
    assert done == sorted(done)
    assert all(0 <= value <= 100 for value in done)
    assert all(path.exists() for path in events[-1].result.paths)


@pytest.mark.parametrize("name", ALL)
def test_a_stopped_job_leaves_nothing_new(tmp_path, volume, mask, name):
    for stop_after in range(1, 4):
        job = exporting_mask(mask, volume, tmp_path / name, class_names=("a",), options=ExportOptions(smooth=3))
        for _ in range(stop_after):
            next(job, None)
        job.close()
        for thread in threading.enumerate():
            if thread.name.startswith("medpatch-wait"):
                thread.join()
        written = list(tmp_path.iterdir())
        # STL and PLY of the first class may have been finished by then; nothing may be half-written.
        assert all(not path.name.startswith(".tmp-") for path in written)


@pytest.mark.parametrize("suffix", [".nii.gz", ".nrrd", ".seg.nrrd", ".mha", ".ome.tiff", ""])
def test_one_file_per_class_holds_that_class(tmp_path, volume, mask, suffix):
    options = ExportOptions(per_class=True)
    job = exporting_mask(mask, volume, tmp_path / f"lungs{suffix}", class_names=("left", "right"), options=options)
    paths = run(job).paths
    assert [path.name for path in paths] == [f"lungs-left{suffix}", f"lungs-right{suffix}"]
    for value, path in enumerate(paths, start=1):
        if suffix in (".nii.gz", ".ome.tiff", ""):
            assert np.array_equal(read_labels(path, volume), mask == value)


def test_maps_per_class(tmp_path, volume):
    maps = RNG.integers(0, 256, (2, *volume.data.shape)).astype(np.uint8)
    options = ExportOptions(per_class=True)
    job = exporting_probabilities(maps, volume, tmp_path / "p.nii.gz", class_names=("a", "b"), options=options)
    paths = run(job).paths
    for values, path in zip(maps, paths, strict=True):
        image = nib.load(path)
        assert image.shape == (8, 7, 6)
        np.testing.assert_allclose(volume.from_original(image.get_fdata()), values / 255, atol=1e-6)


def test_a_photograph_per_class(tmp_path):
    source = ArraySource(np.zeros((4, 5, 3), np.uint8), "photo")
    mask = RNG.integers(0, 3, (4, 5)).astype(np.uint8)
    options = ExportOptions(per_class=True)
    job = exporting_mask(mask, source, tmp_path / "m.png", class_names=("disc", "cup"), options=options)
    paths = run(job).paths
    assert len(paths) == 2
    for value, path in enumerate(paths, start=1):
        with Image.open(path) as picture:
            assert np.array_equal(np.array(picture), mask == value)


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("reason", ["disk is full", "no permission"])
def test_what_the_disk_refuses_is_one_sentence(tmp_path, volume, mask, monkeypatch, name, reason):
    code = errno.ENOSPC if reason == "disk is full" else errno.EACCES

    def refuse(*args, **kwargs):
        raise OSError(code, "no")

    monkeypatch.setattr("napari_medpatch.io.atomic.tempfile.mkstemp", refuse)
    monkeypatch.setattr("napari_medpatch.io.atomic.tempfile.mkdtemp", refuse)
    with pytest.raises(OutputError, match=reason):
        write_mask(mask, volume, tmp_path / name)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ALL)
def test_another_grid_and_other_values_are_refused(tmp_path, volume, mask, name):
    with pytest.raises(GeometryError, match="does not lie on the grid"):
        write_mask(mask[1:], volume, tmp_path / name)
    with pytest.raises(LabelsError, match="from 0 to 255"):
        write_mask(mask.astype(np.int16) - 1, volume, tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_the_image_itself_is_never_replaced(tmp_path, volume, mask):
    source = VolumeSource(write_volume(volume, tmp_path / "ct.nii.gz"))
    before = (tmp_path / "ct.nii.gz").read_bytes()
    for job in (exporting_volume(source, source.path), exporting_mask(mask, source, source.path)):
        with pytest.raises(OutputError, match="it is the image itself"):
            run(job)
    assert (tmp_path / "ct.nii.gz").read_bytes() == before


def test_only_volumes_are_written_as_volumes(tmp_path):
    photo = ArraySource(np.zeros((4, 5, 3), np.uint8), "photo")
    with pytest.raises(OutputError, match="is a photo, not a volume"):
        run(exporting_volume(photo, tmp_path / "a.nii.gz"))


def test_a_folder_of_slices_is_checked_before_the_work(tmp_path, volume):
    check_output(tmp_path / "new", volume)
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "letter.txt").write_text("x")
    with pytest.raises(OutputError, match="a folder with other files"):
        check_output(tmp_path / "old", volume)


def test_what_a_thread_writes_after_a_stop_is_thrown_away(tmp_path):
    started, go_on = threading.Event(), threading.Event()

    def slow(path):
        started.set()
        go_on.wait(10)
        path.write_text("late")

    steps = in_thread(tmp_path / "a.txt", slow)
    next(steps)
    assert started.wait(10)
    steps.close()
    go_on.set()
    for thread in threading.enumerate():
        if thread.name.startswith("medpatch-wait"):
            thread.join()
    assert list(tmp_path.iterdir()) == []
    assert finish(in_thread(tmp_path / "a.txt", lambda path: path.write_text("done"))).read_text() == "done"


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"mesh_space": "xyz"}, "lps or ras"),
        ({"smooth": -1}, "0 to 200"),
        ({"axis": 3}, "axis 0, 1 or 2"),
        ({"made_by": "magic"}, "automatic, semiautomatic or manual"),
        ({"window": (5.0, 5.0)}, "a low and a higher value"),
    ],
)
def test_options_out_of_range_are_refused(options, sentence):
    with pytest.raises(SettingsError, match=sentence):
        ExportOptions(**options)


def test_windows_by_name_and_by_values():
    assert window_of("-1350,150") == (-1350.0, 150.0)
    assert window_of("lung")[0] < -1000
    for text in ("lungs", "1", "a,b", ""):
        with pytest.raises(SettingsError, match="is no window; give lung, "):
            window_of(text)


def test_replacing_the_image_is_refused_before_the_work(tmp_path, volume):
    source = VolumeSource(write_volume(volume, tmp_path / "ct.nii.gz"))
    with pytest.raises(OutputError, match="it is the image itself"):
        check_output(source.path, source)
