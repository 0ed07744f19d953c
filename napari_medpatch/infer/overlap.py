"""Decide between classes that may overlap, of networks with a sigmoid per class."""

from collections.abc import Callable
from functools import partial

import numpy as np
import numpy.typing as npt

from napari_medpatch.infer.decide import Bytes, Decision, decide
from napari_medpatch.infer.working_grid import FloatArray
from napari_medpatch.models.card import ModelCard
from napari_medpatch.models.network_facts import network_facts

Bools = npt.NDArray[np.bool_]
Decider = Callable[..., Decision]


def decider(card: ModelCard) -> Decider:
    """Return what makes labels of relative logits: :func:`decide`, or the rule for classes that overlap."""
    if card.architecture == "unet" and "activation" not in card.network:
        return decide
    facts = network_facts(card)
    if not facts.multi_label:
        return decide
    order = tuple(card.class_names.index(name) - 1 for name in facts.priority)
    return partial(decide_overlapping, priority=order)


def decide_overlapping(
    relative: FloatArray,
    threshold: float | None,
    *,
    maps: bool,
    uncertainty: bool = False,
    priority: tuple[int, ...] = (),
) -> Decision:
    """Turn each class's own logit into one label per voxel.

    A class is there if its probability, the sigmoid of its logit, reaches the threshold. Where several are, the
    mask keeps the first of ``priority``, such as the tumour within an organ; without that the most probable one.

    Parameters
    ----------
    relative : ndarray
        ``(C, *spatial)`` float32, logits.
    threshold : float or None
        None is 0.5.
    maps, uncertainty : bool
        What is wanted besides labels: each class's probability, and the mean entropy of the classes.
    priority : tuple of int
        Indices of classes, the one to keep first; empty for none.
    """
    level = 0.0 if threshold is None else float(np.log(threshold / (1 - threshold)))
    there = relative >= np.float32(level) if threshold is not None else relative > 0
    labels = _likeliest(relative, there) if not priority else _first(there, priority)
    if not maps and not uncertainty:
        return Decision(labels, None, None)
    shares: FloatArray = np.float32(1) / (np.float32(1) + np.exp(-np.clip(relative, -80, 80)))
    doubt = _bytes(_entropy(shares)) if uncertainty else None
    return Decision(labels, _bytes(shares) if maps else None, doubt)


def _likeliest(relative: FloatArray, there: Bools) -> Bytes:
    labels: Bytes = (relative.argmax(axis=0) + 1).astype(np.uint8)
    labels[~there.any(axis=0)] = 0
    return labels


def _first(there: Bools, priority: tuple[int, ...]) -> Bytes:
    labels = np.zeros(there.shape[1:], np.uint8)
    for index in reversed(priority):
        labels[there[index]] = index + 1
    return labels


def _entropy(shares: FloatArray) -> FloatArray:
    """Return the mean over classes of the entropy of being there or not, in bits: 0…1."""
    inside = np.clip(shares, 1e-6, 1 - 1e-6)
    entropy: FloatArray = -(inside * np.log2(inside) + (1 - inside) * np.log2(1 - inside)).mean(axis=0)
    return entropy


def _bytes(share: FloatArray) -> Bytes:
    scaled: Bytes = (share * np.float32(255) + np.float32(0.5)).astype(np.uint8)
    return scaled
