"""Random numbers that belong to a patch."""

import numpy as np
import torch

from napari_medpatch.infer.seeds import kept, patch_seeds, uniforms

KEYS = np.stack(np.meshgrid(np.arange(40), np.arange(50), indexing="ij"), axis=-1).reshape(-1, 2)


def test_numbers_do_not_depend_on_the_other_patches() -> None:
    order = np.random.default_rng(0).permutation(len(KEYS))
    whole = uniforms(KEYS, 3, 7, 1)
    assert np.array_equal(uniforms(KEYS[order], 3, 7, 1), whole[order])
    assert np.array_equal(uniforms(KEYS[:1], 3, 7, 1), whole[:1])


def test_numbers_are_uniform_and_unrelated() -> None:
    drawn = uniforms(KEYS, 4, 0)
    assert drawn.min() >= 0
    assert drawn.max() < 1
    np.testing.assert_allclose(np.histogram(drawn, bins=10, range=(0, 1))[0] / drawn.size, 0.1, atol=0.012)
    assert np.abs(np.corrcoef(drawn.T) - np.eye(4)).max() < 0.08
    assert abs(np.corrcoef(drawn[:-1, 0], drawn[1:, 0])[0, 1]) < 0.08, "neighbours are alike"


def test_every_stream_and_every_patch_has_its_own_seed() -> None:
    seeds = [patch_seeds(KEYS, *stream) for stream in ((0,), (1,), (0, 0), (0, 1), (-1,))]
    assert len(np.unique(np.concatenate(seeds))) == 5 * len(KEYS)
    assert patch_seeds(np.array([[1, 2]]))[0] != patch_seeds(np.array([[2, 1]]))[0]


def test_kept_is_the_wanted_share_of_every_row() -> None:
    seeds = torch.from_numpy(patch_seeds(KEYS[:50], 3).view(np.int64))
    mask = kept(seeds, 2000, 0.7).numpy()
    np.testing.assert_allclose(mask.mean(axis=1), 0.7, atol=0.05)
    assert abs(mask.mean() - 0.7) < 0.01
    assert np.array_equal(kept(seeds[7:8], 2000, 0.7).numpy()[0], mask[7])
    assert kept(seeds, 10, 1.0).all()
    assert not kept(seeds, 10, 0.0).any()
