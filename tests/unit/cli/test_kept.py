"""What a stopped command says that it leaves is what lies on the disk."""

import argparse
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest

from napari_medpatch.cli import clean_command, main
from napari_medpatch.cli.kept import finished, stopped
from napari_medpatch.cli.main import build_parser
from napari_medpatch.events import BlockSegmented, Started
from napari_medpatch.geometry import Box

SHAPE = (6, 8, 10)
NOW: Callable[[], int] = time.time_ns


@pytest.fixture
def ct(tmp_path: Path) -> Path:
    values = np.random.default_rng(0).integers(-1000, 500, SHAPE[::-1]).astype(np.int16)
    nibabel.save(nibabel.Nifti1Image(values, np.diag([2.0, 2.0, 3.0, 1.0])), tmp_path / "ct.nii.gz")
    return tmp_path / "ct.nii.gz"


def interrupted_after(blocks: int) -> Callable[..., Any]:
    """A job that is stopped after some blocks of one slice each."""

    def job(source: Any, bundle: Any, settings: Any, *, parts: Path) -> Any:
        yield Started(SHAPE[0], "blocks", context={"shape": SHAPE, "classes": ("lung",)})
        for index in range(blocks):
            box = Box((index, 0, 0), (index + 1, *SHAPE[1:]))
            parts.mkdir(exist_ok=True)
            (parts / f"block-{index}.npz").write_bytes(b"")
            yield BlockSegmented(index + 1, box, np.ones(box.shape, np.uint8))
        raise KeyboardInterrupt

    return job


def segment(ct: Path, *more: str) -> int:
    return main(["segment", str(ct), "-m", "lungs-threshold", "-o", str(ct.parent / "mask.nii.gz"), "--quiet", *more])


def test_a_stopped_segmentation_names_the_mask_and_how_to_go_on(
    ct: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("napari_medpatch.infer.segment.segment", interrupted_after(2))
    assert segment(ct) == 130
    said = capsys.readouterr().err
    assert f"as far as it got is in {ct.parent / 'partial-mask.nii.gz'}" in said
    assert (ct.parent / "partial-mask.nii.gz").is_file()
    assert "finished blocks are kept, run the same command again" in said
    assert segment(ct, "--no-resume") == 130
    assert "without --no-resume" in capsys.readouterr().err


def test_a_segmentation_that_was_stopped_at_once_claims_nothing(
    ct: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("napari_medpatch.infer.segment.segment", interrupted_after(0))
    assert segment(ct) == 130
    assert capsys.readouterr().err == "napari-medpatch: stopped; nothing was written\n"
    assert sorted(path.name for path in ct.parent.iterdir()) == ["ct.nii.gz"]


def arguments_of(*words: Any) -> argparse.Namespace:
    return build_parser().parse_args([*map(str, words)])


def test_a_mask_of_an_earlier_run_is_not_called_finished(tmp_path: Path) -> None:
    old = tmp_path / "out.nii.gz"
    old.write_bytes(b"")
    os.utime(old, (1e9, 1e9))
    arguments = arguments_of("clean", "m.nii.gz", "-o", old, "--step", "largest:1")
    assert stopped(arguments, NOW()) == "stopped; nothing was written"


def test_files_of_single_classes_are_told(tmp_path: Path) -> None:
    begun = NOW()
    for name in ("out-left.nii.gz", "out-right.nii.gz", "other-left.nii.gz"):
        (tmp_path / name).write_bytes(b"")
    arguments = arguments_of("export", "m.nii.gz", "-o", tmp_path / "out.nii.gz", "--per-class")
    assert finished(arguments, begun) == [
        f"{tmp_path / f'out-{side}.nii.gz'} is finished" for side in ("left", "right")
    ]


def test_names_with_brackets_are_no_patterns(tmp_path: Path) -> None:
    begun = NOW()
    (tmp_path / "a-1.nii.gz").write_bytes(b"")
    assert finished(arguments_of("export", "m.nii.gz", "-o", tmp_path / "[a].nii.gz"), begun) == []


def test_a_training_that_was_stopped_tells_whether_there_is_a_model(tmp_path: Path) -> None:
    begun, bundle = NOW(), tmp_path / "model"
    arguments = arguments_of("finetune", "ct.nii.gz", "labels.nii.gz", "-o", bundle)
    assert stopped(arguments, begun) == "stopped; nothing was written"
    bundle.mkdir()
    (bundle / "config.json").write_text("{}")
    assert stopped(arguments, begun) == f"stopped; the model as far as it was trained is in {bundle}"


def test_stopped_slides_say_what_is_there(tmp_path: Path) -> None:
    begun = NOW()
    arguments = arguments_of("classify", "a.svs", "b.svs", "-m", "m", "-o", tmp_path)
    assert stopped(arguments, begun) == "stopped; nothing was written"
    (tmp_path / "a.json").write_text("{}")
    (tmp_path / "b.parts").mkdir()
    (tmp_path / "b.parts" / "part-000000.npz").write_bytes(b"")
    said = stopped(arguments, begun)
    assert f"the results of 1 finished image are in {tmp_path}" in said
    assert "run the same command again" in said


def test_a_demo_names_its_folder(tmp_path: Path) -> None:
    begun = NOW()
    arguments = arguments_of("demo", "-o", tmp_path / "demo")
    assert stopped(arguments, begun) == "stopped; nothing was written"
    (tmp_path / "demo" / "inner").mkdir(parents=True)
    (tmp_path / "demo" / "inner" / "a.png").write_bytes(b"")
    assert stopped(arguments, begun) == f"stopped; what was finished is in {tmp_path / 'demo'}"


@pytest.mark.parametrize("words", [["info", "a.svs"], ["models"], ["evaluate", "a.png", "b.png"]])
def test_a_command_that_writes_nothing_only_says_that_it_was_stopped(words: list[str]) -> None:
    assert stopped(arguments_of(*words), NOW()) == "stopped"


def test_ctrl_c_in_any_command_ends_with_130(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(_: argparse.Namespace) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(clean_command, "run", run)
    assert main(["clean", "m.nii.gz", "-o", str(tmp_path / "c.nii.gz"), "--step", "largest:1"]) == 130
    assert capsys.readouterr().err == "napari-medpatch: stopped; nothing was written\n"
