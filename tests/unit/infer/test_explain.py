"""Explaining a region as a job."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from napari_medpatch.errors import BundleError, GeometryError, MissingSpacingError, OutputError, WrongKindError
from napari_medpatch.events import Finished, Noted, Started, Working, run
from napari_medpatch.geometry import Box
from napari_medpatch.infer.cam_canvas import Canvas, normalised, plan_region
from napari_medpatch.infer.explain import ExplainSettings, GradCam, explain
from napari_medpatch.io.ome import read_ome_geometry
from napari_medpatch.patches.roi import Region
from napari_medpatch.patches.tissue import TissueMask

CPU = ExplainSettings(device="cpu", everywhere=True)


class RedBundle:
    """A network whose two logits are the mean red and the mean blue of a patch, seen through 4 × 4 positions."""

    weights = None
    path = Path("red")

    def __init__(self, card: Any) -> None:
        self.card, self.passes = card, 0

    def load(self, device: Any = "cpu") -> Any:
        outer = self

        class Counted(torch.nn.Flatten):
            def forward(self, x: torch.Tensor) -> torch.Tensor:
                outer.passes += 1
                return super().forward(x)

        mean = torch.nn.Conv2d(3, 2, 1)
        mean.weight.data = torch.tensor([[4.0, 0, 0], [0, 0, 4.0]])[..., None, None]
        mean.bias.data[:] = 4.0
        layers = [mean, torch.nn.ReLU(), torch.nn.AvgPool2d(8), torch.nn.AdaptiveAvgPool2d(1), Counted()]
        return torch.nn.Sequential(*layers).requires_grad_(False).to(device).eval()


@pytest.fixture
def bundle(patch_card: Any) -> RedBundle:
    return RedBundle(patch_card(("red", "blue")))


@pytest.fixture
def picture() -> np.ndarray:
    """Black with a red square at rows 100…160, columns 120…200."""
    rgb = np.zeros((300, 400, 3), np.uint8)
    rgb[100:160, 120:200, 0] = 255
    return rgb


def at(result: Any, y: int, x: int) -> float:
    row, col = (int((p - o) // s) for p, o, s in zip((y, x), result.grid.origin_px, result.grid.step_px, strict=True))
    return float(result.heat[row, col])


def test_the_map_is_hot_where_the_class_is(pyramid, picture, bundle) -> None:
    result = run(explain(pyramid(picture), bundle, Box((50, 60), (250, 300)), settings=CPU, class_index=0))
    assert (result.class_name, result.layer) == ("red", "2")
    assert result.heat.dtype == np.float32
    assert min(at(result, y, x) for y in (110, 130, 150) for x in (135, 160, 190)) > 0.9
    assert max(at(result, y, x) for y, x in [(60, 70), (60, 290), (240, 160), (130, 80)]) < 0.05
    # Cells lie on level 0 as the transform says: half a pixel of µm from corner to centre.
    step = result.grid.step_px[0]
    assert result.transform.scale == pytest.approx((0.5 * step, 0.5 * step))
    y = result.grid.origin_px[0] + (step - 1) / 2
    assert result.transform.translate[0] == pytest.approx(0.5 * y)
    covered = np.asarray(result.grid.shape) * result.grid.step_px + result.grid.origin_px
    assert (np.asarray(result.grid.origin_px) <= (50, 60)).all()
    assert (covered >= (250, 300)).all()


def test_a_patch_of_one_colour_has_no_seams(pyramid, bundle) -> None:
    """Blending maps that are alike gives a plain map, at the edges of the image too."""
    rgb = np.zeros((130, 170, 3), np.uint8)
    rgb[..., 0] = 200
    result = run(explain(pyramid(rgb), bundle, Box.whole((130, 170)), settings=CPU, class_index=0))
    inner = result.heat[: 100 * 2, : 140 * 2]
    np.testing.assert_allclose(inner, inner[0, 0], atol=1e-5)
    assert np.isfinite(result.heat).all()


def test_parts_agree_with_the_whole(pyramid, bundle, rng_picture) -> None:
    source = pyramid(rng_picture)
    cam = GradCam(bundle, device="cpu")
    heats = {}
    for name, box in {"whole": Box.whole((200, 260)), "part": Box((70, 90), (150, 200))}.items():
        job = explain(source, bundle, box, settings=CPU, class_index=0, cam=cam)
        started = next(event for event in job if isinstance(event, Started))
        run(job)
        heats[name] = started.context["grid"], started.context["heat"]
    grid, part = heats["part"]
    offset = (np.asarray(grid.origin_px) / grid.step_px).round().astype(int)
    whole = heats["whole"][1][offset[0] : offset[0] + part.shape[0], offset[1] : offset[1] + part.shape[1]]
    np.testing.assert_allclose(part, whole, atol=1e-5)


@pytest.fixture
def rng_picture() -> np.ndarray:
    coarse = np.random.default_rng(0).integers(0, 256, (10, 13, 3), np.uint8)
    return np.kron(coarse, np.ones((20, 20, 1), np.uint8))


def test_the_class_is_that_of_the_middle_unless_chosen(pyramid, picture, bundle) -> None:
    picture[..., 2] = 100
    source = pyramid(picture)
    assert run(explain(source, bundle, Box((90, 110), (170, 210)), settings=CPU)).class_name == "red"
    assert run(explain(source, bundle, Box((200, 200), (280, 300)), settings=CPU)).class_name == "blue"
    with pytest.raises(BundleError, match="no class 2"):
        run(explain(source, bundle, Box((200, 200), (280, 300)), settings=CPU, class_index=2))


def test_events_and_live_view(pyramid, picture, bundle) -> None:
    events = list(explain(pyramid(picture), bundle, Box((0, 0), (128, 128)), settings=CPU, class_index=0))
    assert isinstance(events[0], Noted)
    started = next(event for event in events if isinstance(event, Started))
    done = [event.done for event in events if isinstance(event, Working)]
    assert isinstance(events[-1], Finished)
    assert done == sorted(done)
    assert done[-1] == started.total
    result, live = events[-1].result, started.context["heat"]
    np.testing.assert_allclose(result.heat, np.clip(live / result.provenance["raw_value_of_1"], 0, 1), atol=1e-6)


def test_it_stops_before_the_next_batch(pyramid, picture, patch_card) -> None:
    bundle = RedBundle(patch_card(("red", "blue")))
    job = explain(pyramid(picture), bundle, Box.whole((300, 400)), settings=CPU, class_index=0)
    while not isinstance(next(job), Working):
        pass
    before = bundle.passes
    job.close()
    assert bundle.passes == before > 0
    assert next(job, None) is None


def test_the_file_lies_at_its_place(pyramid, picture, bundle, tmp_path: Path) -> None:
    import tifffile

    out = tmp_path / "cam.ome.tiff"
    result = run(explain(pyramid(picture), bundle, Box((50, 60), (250, 300)), settings=CPU, class_index=0, out=out))
    facts = read_ome_geometry(out)
    assert facts is not None
    assert facts.pixel_size == pytest.approx(result.transform.scale)
    assert facts.origin == pytest.approx(result.transform.translate)
    assert facts.channel_names == ("Grad-CAM red",)
    assert facts.note.provenance["layer"] == "2"
    np.testing.assert_array_equal(tifffile.imread(out).squeeze(), result.heat)
    assert result.files == (out,)
    assert result.provenance["class"] == "red"


def test_polygons_limit_the_map(pyramid, picture, bundle) -> None:
    triangle = Region((np.array([[90.0, 110.0], [90.0, 250.0], [220.0, 110.0]]),))
    whole = run(explain(pyramid(picture), bundle, Box((90, 110), (220, 250)), settings=CPU, class_index=0))
    job = explain(pyramid(picture), bundle, Box((90, 110), (220, 250)), settings=CPU, class_index=0, roi=triangle)
    result = run(job)
    assert at(result, 120, 130) > 0.9
    assert np.isnan(at(result, 215, 245))
    assert 0.4 < np.isfinite(result.heat).mean() < 0.6
    assert result.provenance["patches"] < whole.provenance["patches"]


def test_a_photograph_without_pixel_size_is_explained_in_pixels(pyramid, picture, bundle) -> None:
    source = pyramid(picture, None, kind="photo")
    result = run(explain(source, bundle, Box.whole((300, 400)), settings=CPU, class_index=0))
    assert result.transform.scale == result.grid.step_px
    assert at(result, 130, 160) > 0.9 > 0.1 > at(result, 250, 350)


def test_bad_input_is_one_sentence(pyramid, picture, bundle, tmp_path: Path) -> None:
    region = Box((0, 0), (64, 64))
    with pytest.raises(WrongKindError, match="is a volume"):
        next(explain(pyramid(picture, kind="volume"), bundle, region, settings=CPU))
    with pytest.raises(MissingSpacingError, match="how large its pixels are"):
        next(explain(pyramid(picture, None), bundle, region, settings=CPU))
    with pytest.raises(GeometryError, match="outside the image"):
        next(explain(pyramid(picture), bundle, Box((900, 0), (1000, 64)), settings=CPU))
    elsewhere = Region((np.array([[0.0, 0.0], [0.0, 9.0], [9.0, 0.0]]),))
    with pytest.raises(GeometryError, match="region of interest lies outside"):
        next(explain(pyramid(picture), bundle, Box((200, 200), (264, 264)), settings=CPU, roi=elsewhere))
    blocked = tmp_path / "file"
    blocked.write_text("")
    with pytest.raises(OutputError):
        next(explain(pyramid(picture), bundle, region, settings=CPU, out=blocked / "cam.ome.tiff"))


@pytest.mark.parametrize("patch", [(32, 32), (33, 31), (200, 200)])
@pytest.mark.parametrize("region", [Box((0, 0), (300, 400)), Box((37, 51), (38, 52)), Box((-20, 350), (90, 900))])
def test_every_cell_of_a_plan_is_covered(patch: tuple[int, int], region: Box) -> None:
    plan = plan_region(region, (300, 400), patch)
    canvas = Canvas(plan)
    canvas.add(np.arange(len(plan.boxes)), np.ones((len(plan.boxes), plan.edge, plan.edge), np.float32))
    np.testing.assert_allclose(canvas.heat, 1, atol=1e-5)
    assert (plan.boxes[:, :2] >= 0).all()
    # Where a patch's first cell is put is where its first pixel is.
    place = np.asarray(plan.grid.origin_px) + plan.corners * np.asarray(plan.grid.step_px)
    np.testing.assert_allclose(place, plan.boxes[:, :2], atol=1e-6)


def test_huge_regions_get_coarser_cells() -> None:
    plan = plan_region(Box.whole((80_000, 60_000)), (80_000, 60_000), (2_000, 2_000))
    assert np.prod(plan.grid.shape) <= 16e6


def test_glass_is_left_out_unless_asked_for(pyramid, stained_slide, bundle) -> None:
    """The disc of radius 150 around (300, 400) is tissue."""
    source, box = pyramid(stained_slide), Box((100, 100), (500, 700))
    on_tissue = run(explain(source, bundle, box, settings=ExplainSettings(device="cpu"), class_index=0))
    everywhere = run(explain(source, bundle, box, settings=CPU, class_index=0))
    assert np.isfinite(everywhere.heat).all()
    assert np.isfinite(at(on_tissue, 300, 400))
    assert np.isnan(at(on_tissue, 120, 120))
    assert on_tissue.provenance["patches"] < everywhere.provenance["patches"] / 2
    corner = TissueMask(np.array([[True, False], [False, False]]), (300.0, 400.0))
    given = run(explain(source, bundle, box, settings=ExplainSettings(device="cpu"), class_index=0, tissue=corner))
    assert np.isfinite(at(given, 120, 120))
    assert np.isnan(at(given, 480, 680))
    # A region without tissue is explained all the same: somebody asked.
    glass = run(explain(source, bundle, Box((0, 0), (90, 90)), settings=ExplainSettings(device="cpu"), class_index=0))
    assert np.isfinite(glass.heat).all()


def test_normalising_takes_a_percentile_and_keeps_nan() -> None:
    heat = np.linspace(0, 1, 1001, dtype=np.float32).reshape(1, -1)
    heat[0, -1], heat[0, 0] = 50, np.nan
    scaled, top = normalised(heat, 99)
    assert top == pytest.approx(0.99, abs=0.01)
    assert scaled[0, -1] == 1
    assert np.isnan(scaled[0, 0])
    zero, top = normalised(np.zeros((2, 2), np.float32), 99)
    assert top == 0
    assert not zero.any()
