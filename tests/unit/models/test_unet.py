import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_medpatch.errors import BundleError
from napari_medpatch.models.unet import UNetConfig, build_unet


@pytest.mark.parametrize(("levels", "radius", "halo"), [(1, 2, 2), (2, 8, 10), (3, 20, 24), (4, 44, 56), (5, 92, 112)])
def test_the_halo_is_the_reach_plus_the_pools_on_the_pooling_grid(levels: int, radius: int, halo: int) -> None:
    config = UNetConfig(levels=levels)
    assert config.receptive_radius == radius
    assert config.halo == halo
    assert config.halo % config.multiple == 0


@settings(max_examples=8, deadline=None)
@given(st.integers(1, 3), st.integers(1, 2), st.integers(0, 7), st.sampled_from([2, 3]))
def test_no_output_reaches_beyond_the_halo(levels: int, convs: int, shift: int, dimensions: int) -> None:
    """The gradient of one output is zero from the reach on; checked with weights that cannot cancel."""
    config = UNetConfig(dimensions, 1, 1, levels=levels, channels=1, convs=convs, norm="none")
    model = build_unet(config)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.fill_(0.1)
    reach = config.receptive_radius + config.multiple - 1
    # Long along one axis only: the reach is the same along all.
    length = -(-(2 * reach + 16) // config.multiple) * config.multiple
    x = torch.rand(1, 1, length, *(config.multiple,) * (dimensions - 1)).requires_grad_()
    centre = length // 2 + shift
    model(x)[0, 0, centre].sum().backward()
    assert x.grad is not None
    seen = torch.nonzero(x.grad.abs().sum(tuple(range(3, x.ndim)))[0, 0]).ravel()
    assert int(seen.min()) >= max(0, centre - reach)
    assert int(seen.max()) <= min(length - 1, centre + reach)
    # The reach is not exaggerated either: one side comes within the pools' play of it, to either side.
    assert max(centre - int(seen.min()), int(seen.max()) - centre) > config.receptive_radius - config.multiple


@pytest.mark.parametrize("dimensions", [2, 3])
def test_logits_have_the_inputs_shape(dimensions: int) -> None:
    model = build_unet(UNetConfig(dimensions, 3, 5, levels=3, channels=2))
    x = torch.rand(2, 3, *(8, 12, 4)[:dimensions])
    assert model(x).shape == (2, 5, *x.shape[2:])


@pytest.mark.parametrize(
    "values",
    [
        {"dimensions": 4},
        {"levels": 0},
        {"levels": 7},
        {"convs": 0},
        {"channels": 0},
        {"norm": "layer"},
        {"depth": 3},
    ],
)
def test_impossible_networks_are_refused(values: dict[str, object]) -> None:
    with pytest.raises(BundleError, match="U-Net"):
        UNetConfig.from_mapping(values)


def test_only_batch_normalisation_has_buffers() -> None:
    assert not list(build_unet(UNetConfig(channels=2, norm="none")).buffers())
    assert list(build_unet(UNetConfig(channels=2)).buffers())
