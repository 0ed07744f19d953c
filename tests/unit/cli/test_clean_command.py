"""``napari-medpatch clean`` and ``segment --clean`` do what the job does, and refuse in one sentence."""

import json
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest

from napari_medpatch import clean, open_source
from napari_medpatch.cli import main
from napari_medpatch.io.array_source import ArraySource
from napari_medpatch.io.export import write_mask
from napari_medpatch.io.labels_file import read_labels
from napari_medpatch.io.png import read_png_note, write_png
from napari_medpatch.io.read_volume import read_note

SPACING = (3.0, 2.0, 2.0)


def lungs_hu() -> np.ndarray:
    """Two bubbles of lung in a body, and a crumb of one voxel."""
    z, y, x = np.mgrid[:20, :40, :60]
    hu = np.full((20, 40, 60), 40, np.int16)
    for centre in (15, 45):
        hu[((z - 10) * 1.5) ** 2 + (y - 20) ** 2 + (x - centre) ** 2 < 120] = -800
    hu[2, 3, 30] = -800
    return hu


@pytest.fixture
def ct(tmp_path: Path) -> Path:
    """The scan, stored in another orientation than ours."""
    affine = np.diag([2.0, 2.0, 3.0, 1.0])
    nibabel.save(nibabel.Nifti1Image(lungs_hu().transpose(2, 1, 0)[::-1, ::-1], affine), tmp_path / "ct.nii.gz")
    return tmp_path / "ct.nii.gz"


@pytest.fixture
def mask(tmp_path: Path, ct: Path) -> Path:
    source = open_source(ct)
    assert np.array_equal(source.data, lungs_hu())
    values = (source.data < -500).astype(np.uint8)
    return write_mask(
        values,
        source,
        tmp_path / "mask.nii.gz",
        class_names=["lung"],
        provenance={"model": "m", "clean_up": [{"a": 1}]},
    )


def clean_it(*arguments: Any) -> int:
    return main(["clean", *map(str, arguments), "--quiet"])


@pytest.mark.parametrize("suffix", [".nii.gz", ".nrrd"])
@pytest.mark.parametrize("given_image", [False, True])
def test_a_mask_is_cleaned_named_and_stays_in_its_place(
    tmp_path: Path, ct: Path, mask: Path, suffix: str, given_image: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / f"clean{suffix}"
    like = ["--like", ct] if given_image else []
    assert clean_it(mask, "-o", output, "--step", "drop:0.1ml", "--step", "split-left-right", *like) == 0
    source = open_source(ct)
    expected, names = clean(
        (source.data < -500).astype(np.uint8), ["drop:0.1ml", "split-left-right"], voxel=SPACING, class_names=["lung"]
    )
    assert np.array_equal(read_labels(output, source), expected)
    # x runs to the patient's left.
    assert set(np.unique(expected[..., :30])) == {0, 1}
    assert set(np.unique(expected[..., 30:])) == {0, 2}
    note = read_note(output)
    assert note.class_names == names == ("right lung", "left lung")
    assert note.provenance["model"] == "m"
    assert [list(record) for record in note.provenance["clean_up"]] == [["a"], ["steps", "class_names"]]
    assert "right lung, left lung" in capsys.readouterr().out


def test_what_changed_is_told(tmp_path: Path, mask: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert clean_it(mask, "-o", tmp_path / "c.nii.gz", "--step", "drop:0.1ml", "--json") == 0
    told = capsys.readouterr()
    assert json.loads(told.out)["steps"][0]["removed_ml"] == {"lung": 0.012}
    assert "drop:0.1ml: lung −0.012 ml" in told.err


def test_a_picture_of_a_mask_is_cleaned_in_pixels(tmp_path: Path) -> None:
    values = np.zeros((20, 30), np.uint8)
    values[2:9, 2:9] = 1
    values[15, 20] = 1
    write_png(values, tmp_path / "mask.png")
    assert clean_it(tmp_path / "mask.png", "-o", tmp_path / "c.png", "--step", "drop:5px", "--class-names", "spot") == 0
    picture = ArraySource(np.zeros((20, 30, 3), np.uint8), "photo")
    assert read_labels(tmp_path / "c.png", picture).sum() == 49
    assert read_png_note(tmp_path / "c.png").class_names == ("spot",)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--step", "polish"], "no clean-up 'polish'"),
        (["--step", "hu:-900..-300"], "give the CT volume"),
        (["--step", "largest:1@heart"], "the class 'heart', but the mask has lung"),
        (["--step", "drop:3um2"], "give it in ml"),
    ],
)
def test_what_cannot_be_done_is_refused_and_writes_nothing(
    tmp_path: Path, mask: Path, arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert clean_it(mask, "-o", tmp_path / "c.nii.gz", *arguments) == 2
    assert sentence in capsys.readouterr().err
    assert not (tmp_path / "c.nii.gz").exists()


def test_the_mask_itself_is_never_replaced(tmp_path: Path, mask: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = mask.read_bytes()
    assert clean_it(mask, "-o", mask, "--step", "fill-holes") == 2
    assert "is the mask itself" in capsys.readouterr().err
    assert mask.read_bytes() == before


def test_segment_cleans_by_the_model_and_by_the_command(
    tmp_path: Path, ct: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    common = ["segment", str(ct), "-m", "lungs-threshold", "--json", "--quiet", "-o"]
    plain, split = tmp_path / "plain.nii.gz", tmp_path / "split.nii.gz"
    assert main([*common, str(plain), "--no-clean"]) == 0
    assert json.loads(capsys.readouterr().out)["clean_up"] == []
    assert main([*common, str(split), "--clean", "largest:2", "--clean", "split-left-right"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert list(record["classes"]) == ["right lung", "left lung"]
    # The volume is 60 mm high; pieces below 5 ml are dropped from 64 mm on, of thinner stacks smaller ones.
    assert [step["step"] for done in record["clean_up"] for step in done["steps"]] == [
        "drop:4.69ml", "fill-holes", "largest:2", "split-left-right",
    ]  # fmt: skip
    assert read_note(split).class_names == ("right lung", "left lung")


def test_segment_refuses_wrong_steps_before_it_begins(
    tmp_path: Path, ct: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "m.nii.gz"
    wrong = ["--clean", "split-left-right", "--clean", "largest:1@lung"]
    assert main(["segment", str(ct), "-m", "lungs-threshold", "-o", str(output), *wrong]) == 2
    told = capsys.readouterr().err
    assert "the class 'lung', but the mask has right lung, left lung" in told
    assert "segment:" not in told
    assert not output.exists()
