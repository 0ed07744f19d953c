import numpy as np
import pytest

from napari_medpatch.io.fov import field_of_view, fit_circle
from napari_medpatch.io.photo import PhotoSource

HEIGHT, WIDTH = 600, 800


def disc(centre=(300, 400), radius=280.0, shape=(HEIGHT, WIDTH)):
    y, x = np.ogrid[: shape[0], : shape[1]]
    return (y - centre[0]) ** 2 + (x - centre[1]) ** 2 <= radius**2


def fundus(eye, *, border=3, noise=2.0, level=120):
    """An orange disc, brighter on one side, on a dark noisy border."""
    rng = np.random.default_rng(0)
    shade = level * (0.5 + np.linspace(0, 1, eye.shape[1]))[None, :, None] * np.array([1.0, 0.5, 0.2])
    picture = np.where(eye[..., None], shade, border) + rng.normal(0, noise, (*eye.shape, 3))
    return np.clip(picture, 0, 255).astype(np.uint8)


def iou(a, b):
    return (a & b).sum() / (a | b).sum()


@pytest.mark.parametrize("level", [40, 120, 200])
@pytest.mark.parametrize("border", [0, 12])
def test_a_disc_is_found(border, level):
    eye = disc()
    assert iou(field_of_view(fundus(eye, border=border, level=level)), eye) > 0.985


def test_a_disc_cut_by_the_frame_and_flattened_is_found():
    eye = disc((300, 420), 390)
    eye[:40] = False
    assert iou(field_of_view(fundus(eye)), eye) > 0.985


def test_small_picture():
    eye = disc((60, 80), 55, (120, 160))
    assert iou(field_of_view(fundus(eye)), eye) > 0.95


def test_dark_places_inside_and_letters_outside_do_not_count():
    eye = disc()
    picture = fundus(eye)
    picture[280:330, 380:430] = 2
    picture[20:50, 20:60] = 200
    assert iou(field_of_view(picture), eye) > 0.985


def test_a_shadow_at_the_rim_belongs_to_the_eye():
    eye = disc()
    picture = fundus(eye)
    picture[disc((80, 400), 70) & eye] = 3
    assert iou(field_of_view(picture), eye) > 0.97


def test_scattered_light_does_not_widen_the_circle():
    eye = disc()
    picture = fundus(eye, level=200)
    picture[disc(radius=286) & ~eye] = 30
    assert iou(field_of_view(picture), eye) > 0.985


@pytest.mark.parametrize(
    "picture",
    [
        np.full((200, 300, 3), 180, np.uint8),
        np.zeros((200, 300, 3), np.uint8),
        np.random.default_rng(0).integers(0, 255, (200, 300, 3)).astype(np.uint8),
        np.zeros((8, 8, 3), np.uint8),
        np.full((200, 300, 3), 255, np.uint8) - np.uint8(120) * disc((100, 150), 80, (200, 300))[..., None],
    ],
)
def test_whole_picture_without_a_dark_border(picture):
    mask = field_of_view(picture)
    assert mask.shape == picture.shape[:2]
    assert mask.dtype == bool
    assert mask.all()


def test_fit_circle_ignores_the_flat_side_and_refuses_squares():
    angles = np.linspace(0, 2 * np.pi, 200, endpoint=False)
    circle = np.stack([100 + 80 * np.sin(angles), 120 + 80 * np.cos(angles)], axis=1)
    circle[:, 0] = np.maximum(circle[:, 0], 45)
    y, x, radius = fit_circle(circle, (200, 240))
    assert (y, x, radius) == pytest.approx((100, 120, 80), abs=1.5)
    side = np.linspace(20, 180, 50)
    square = np.concatenate([np.stack([side, side * 0 + e], 1) for e in (20, 180)]
                            + [np.stack([side * 0 + e, side], 1) for e in (20, 180)])  # fmt: skip
    assert fit_circle(square, (200, 200)) is None
    assert fit_circle(circle[:3], (200, 240)) is None


def test_mask_of_a_source_is_found_once(tmp_path):
    from PIL import Image

    Image.fromarray(fundus(disc())).save(tmp_path / "a.png")
    source = PhotoSource(tmp_path / "a.png")
    assert source.fov_mask() is source.fov_mask()


def test_retina_of_scikit_image():
    from skimage.data import retina

    mask = field_of_view(retina())
    assert 0.70 < mask.mean() < 0.82
    assert iou(mask, disc((705, 705), np.sqrt(mask.sum() / np.pi), mask.shape)) > 0.97


def test_histology_has_no_field_of_view():
    from skimage.data import immunohistochemistry

    assert field_of_view(immunohistochemistry()).all()


def test_vessels_of_all_real_eyes_lie_inside(real_data):
    paths = sorted((real_data / "fundus" / "chasedb1").glob("*.jpg"))
    assert paths
    for path in paths:
        mask = PhotoSource(path).fov_mask()
        vessels = PhotoSource(path.with_name(f"{path.stem}_1stHO.png")).array[..., 0] > 0
        assert 0.68 < mask.mean() < 0.72, path.name
        assert (vessels & ~mask).sum() < 0.005 * vessels.sum(), path.name


def test_share_of_real_photographs_is_plausible(real_data):
    paths = sorted((real_data / "fundus" / "eyepacs" / "images").glob("*.jpeg"))[::5]
    shares = [PhotoSource(path).fov_mask().mean() for path in paths]
    assert min(shares) > 0.4
    assert max(shares) < 0.85
