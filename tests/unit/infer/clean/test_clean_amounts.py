import pytest

from napari_medpatch.errors import SettingsError
from napari_medpatch.infer.clean.amount import Length, Size


@pytest.mark.parametrize("text", ["1.5mm", "3px", "20um", "2cm"])
def test_a_length_is_read_and_written_alike(text: str) -> None:
    assert str(Length.parse(text)) == text


def test_spaces_and_micro_signs_are_understood() -> None:
    assert Length.parse(" 1.5 MM ") == Length(1.5, "mm")
    assert Length.parse("20µm") == Length(20.0, "um")
    assert Size.parse("10 vx") == Size(10.0, "px")


@pytest.mark.parametrize("text", ["", "mm", "1.5", "-1mm", "0mm", "1ml", "a lot", "1e3mm"])
def test_what_is_no_length_is_refused(text: str) -> None:
    with pytest.raises(SettingsError, match="not a length such as"):
        Length.parse(text)


def test_a_length_and_a_voxel_come_in_one_unit() -> None:
    assert Length(1.5).on_grid((5.0, 0.7, 0.7), "mm") == (1.5, (5.0, 0.7, 0.7))
    value, voxel = Length(20, "um").on_grid((0.5, 0.5), "um")
    assert value / voxel[0] == pytest.approx(40)
    assert Length(3, "px").on_grid((5.0, 0.7), "mm") == (3, (1.0, 1.0))


@pytest.mark.parametrize(
    ("size", "voxel", "unit", "voxels"),
    [
        ("1ml", (1, 1, 1), "mm", 1000),
        ("1ml", (5, 2, 2), "mm", 50),
        ("1cm3", (1, 1, 1), "mm", 1000),
        ("30mm3", (3, 1, 1), "mm", 10),
        ("50um2", (0.5, 0.5), "um", 200),
        ("10px", (0.5, 0.5), "um", 10),
        ("10px", (1, 1), "px", 10),
    ],
)
def test_a_size_is_so_many_voxels(size: str, voxel: tuple[float, ...], unit: str, voxels: float) -> None:
    assert Size.parse(size).in_voxels(voxel, unit) == pytest.approx(voxels)


def test_sizes_that_do_not_fit_are_refused() -> None:
    with pytest.raises(SettingsError, match="nobody knows; give it in px"):
        Size(1, "ml").in_voxels((1, 1, 1), "px")
    with pytest.raises(SettingsError, match="give it in um2"):
        Size(1, "ml").in_voxels((0.5, 0.5), "um")
    with pytest.raises(SettingsError, match="give it in ml"):
        Size(1, "um2").in_voxels((1, 1, 1), "mm")
    with pytest.raises(SettingsError, match="needs the size of a pixel"):
        Length(1).on_grid((1, 1), "px")
