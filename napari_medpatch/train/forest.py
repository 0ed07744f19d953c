"""A random forest over filter responses: useful from single strokes, after seconds."""

from typing import Any

import numpy as np
import numpy.typing as npt

from napari_medpatch.train.features import FloatArray

_ROWS = 1 << 18


def fit_forest(features: FloatArray, labels: npt.NDArray[np.uint8], *, trees: int, per_class: int, seed: int) -> Any:
    """Fit a forest to the labelled pixels.

    Parameters
    ----------
    features : ndarray
        ``(pixels, features)``.
    labels : ndarray
        Sparse labels with as many pixels.
    trees : int
        Number of trees.
    per_class : int
        Pixels drawn of each class, at most; few of a class would otherwise drown.
    seed : int
        Of the draw and of the trees.

    Returns
    -------
    sklearn.ensemble.RandomForestClassifier
        Its classes are label values.
    """
    from sklearn.ensemble import RandomForestClassifier

    generator = np.random.default_rng(seed)
    flat = labels.reshape(-1)
    drawn = []
    for value in np.unique(flat[flat > 0]):
        where = np.flatnonzero(flat == value)
        drawn.append(generator.choice(where, per_class, replace=False) if len(where) > per_class else where)
    rows = np.concatenate(drawn)
    forest = RandomForestClassifier(trees, min_samples_leaf=3, n_jobs=threads(), random_state=seed)
    return forest.fit(features[rows], flat[rows])


def forest_probabilities(forest: Any, features: FloatArray, num_classes: int) -> FloatArray:
    """Return ``(num_classes, pixels)`` float32; 0 for classes the forest has not seen."""
    result = np.zeros((num_classes, len(features)), np.float32)
    for start in range(0, len(features), _ROWS):
        part = slice(start, start + _ROWS)
        result[forest.classes_ - 1, part] = forest.predict_proba(features[part]).T
    return result


def threads() -> int:
    """Return as many threads as torch uses, so that one setting governs both."""
    import torch

    return torch.get_num_threads()
