"""Files that are complete or absent, and the records that every job and error shares."""

import dataclasses
import errno
import json
import math
import os
import stat
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_medpatch import errors, events
from napari_medpatch.errors import ChoiceNeededError, MedPatchError, OutputError
from napari_medpatch.io import atomic
from napari_medpatch.io.atomic import atomic_file, atomic_folder, check_writable, write_json, write_text

needs_permissions = pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere"
)


def left_behind(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def fail_inside(block: AbstractContextManager[Path], error: type[BaseException]) -> None:
    """Write half of the result, then raise."""
    with block as temporary:
        (temporary / "half.txt" if temporary.is_dir() else temporary).write_text("half")
        raise error


def test_a_file_takes_its_place_when_the_block_ends(tmp_path: Path) -> None:
    target = tmp_path / "new" / "mask.nii.gz"
    with atomic_file(target) as temporary:
        assert temporary.name.endswith(".nii.gz")
        assert temporary.parent == target.parent
        temporary.write_bytes(b"data")
        assert not target.exists()
    assert target.read_bytes() == b"data"
    assert left_behind(target.parent) == ["mask.nii.gz"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, GeneratorExit])
def test_what_was_there_stays_when_the_block_fails(tmp_path: Path, error: type[BaseException]) -> None:
    target = tmp_path / "scores.csv"
    target.write_text("old")
    with pytest.raises(error):
        fail_inside(atomic_file(target), error)
    assert target.read_text() == "old"
    assert left_behind(tmp_path) == ["scores.csv"]


def test_files_get_the_users_usual_permissions(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write_text(tmp_path / "a.txt", "x")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a.txt").stat().st_mode) == 0o640


def test_a_folder_replaces_another_as_a_whole(tmp_path: Path) -> None:
    target = tmp_path / "bundle"
    for content in ("one", "two"):
        with atomic_folder(target) as temporary:
            (temporary / f"{content}.txt").write_text(content)
    assert left_behind(target) == ["two.txt"]
    assert left_behind(tmp_path) == ["bundle"]


def test_a_failed_folder_leaves_the_old_one(tmp_path: Path) -> None:
    target = tmp_path / "bundle"
    target.mkdir()
    (target / "config.json").write_text("{}")
    with pytest.raises(RuntimeError):
        fail_inside(atomic_folder(target), RuntimeError)
    assert left_behind(target) == ["config.json"]
    assert left_behind(tmp_path) == ["bundle"]


def test_the_old_folder_comes_back_when_the_new_one_cannot_be_moved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "bundle"
    target.mkdir()
    (target / "config.json").write_text("{}")
    replace, calls = os.replace, []

    def second_fails(source: Any, destination: Any) -> None:
        calls.append(destination)
        if len(calls) == 2:
            raise OSError(errno.EIO, "input/output error")
        replace(source, destination)

    monkeypatch.setattr(atomic.os, "replace", second_fails)
    with pytest.raises(OutputError, match="could not be written"), atomic_folder(target) as temporary:
        (temporary / "new.txt").write_text("x")
    assert left_behind(target) == ["config.json"]


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (errno.ENOSPC, "The disk is full"),
        (errno.EDQUOT, "The disk is full"),
        (errno.EACCES, "no permission"),
        (errno.EROFS, "no permission"),
        (errno.EISDIR, "in the way"),
        (errno.EIO, "could not be written"),
    ],
)
def test_errors_of_the_system_are_sentences(tmp_path: Path, code: int, words: str) -> None:
    with pytest.raises(OutputError, match=words) as caught, atomic_file(tmp_path / "mask.png"):
        raise OSError(code, os.strerror(code))
    assert "mask.png" in str(caught.value)
    assert left_behind(tmp_path) == []


def test_a_file_in_place_of_a_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file")
    with pytest.raises(OutputError, match="in the way"):
        write_text(tmp_path / "out" / "scores.csv", "x")


def test_json_is_written_whole_and_without_nan(tmp_path: Path) -> None:
    write_json(tmp_path / "run.json", {"unit": "µm", "values": [1, 2.5, None]})
    text = (tmp_path / "run.json").read_text(encoding="utf-8")
    assert json.loads(text) == {"unit": "µm", "values": [1, 2.5, None]}
    assert "µm" in text
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "run.json", {"value": math.nan})
    assert (tmp_path / "run.json").read_text(encoding="utf-8") == text


def test_checking_leaves_nothing_behind(tmp_path: Path) -> None:
    check_writable(tmp_path / "out" / "mask.nii")
    assert left_behind(tmp_path / "out") == []
    (tmp_path / "file").write_text("x")
    with pytest.raises(OutputError):
        check_writable(tmp_path / "file" / "mask.nii")


@needs_permissions
def test_a_folder_without_permission_is_named(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(OutputError, match="no permission"):
            check_writable(tmp_path / "mask.nii")
    finally:
        tmp_path.chmod(0o700)


def test_every_error_is_a_medpatch_error_with_exit_code_2() -> None:
    kinds = [value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, Exception)]
    assert len(kinds) > 8
    assert all(issubclass(kind, MedPatchError) and kind.exit_code == 2 for kind in kinds)
    assert all(str(kind("One sentence.")) == "One sentence." for kind in kinds)


def test_choices_are_kept() -> None:
    assert ChoiceNeededError("Say which.", ["a", "b"]).choices == ("a", "b")
    assert ChoiceNeededError("Say which.").choices == ()


def test_events_cannot_be_changed() -> None:
    event = events.StepDone(step=1, loss=0.5, seconds=2.0, done=1)
    with pytest.raises(dataclasses.FrozenInstanceError):
        event.loss = 0.1  # type: ignore[misc]
    assert events.Started(5, "patches").context == {}
    assert events.PatchesScored(1, np.zeros((1, 2), np.int64), np.zeros((1, 4), np.int64), np.zeros((1, 2), "f4")).done


def test_run_returns_the_last_result_and_none_without_one() -> None:
    steps = [events.StepDone(n, 0.1, 0.0, n) for n in range(3)]
    assert events.run(iter([events.Started(3, "steps"), *steps, events.Finished("mask")])) == "mask"
    assert events.run(iter(steps)) is None
