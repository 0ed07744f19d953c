"""Load a classifier so that it goes on where a stopped run was."""

from typing import TYPE_CHECKING

from napari_medpatch.infer.classify_result import ClassifySettings
from napari_medpatch.infer.precision import native_bfloat16
from napari_medpatch.infer.score_store import Keys, ScoreStore
from napari_medpatch.infer.scoring import ScoringMethod

if TYPE_CHECKING:
    from napari_medpatch.infer.patch_scorer import PatchScorer
    from napari_medpatch.models.bundle import Bundle


def resumed_scorer(
    bundle: "Bundle",
    method: ScoringMethod,
    settings: ClassifySettings,
    store: ScoreStore,
    keys: Keys | None = None,
    *,
    exact: bool = False,
) -> "tuple[PatchScorer, str]":
    """Load a model with the batches of the run that was stopped, and tell the store about it.

    Parameters
    ----------
    bundle, method, settings
        What to load and how to score; ``batch_size`` counts only for a run that begins.
    store : ScoreStore
        Scores of an earlier run of the same fingerprint, if any. Those of another precision are deleted.
    keys : ndarray, optional
        ``(N, 2) int64``, as :class:`PatchScorer` takes them.
    exact : bool
        Run the network as it is stored.

    Returns
    -------
    tuple of PatchScorer and str
        The scorer, and one sentence if its batches are not those that the settings ask for.
    """
    from napari_medpatch.infer.device import pick_devices
    from napari_medpatch.infer.patch_scorer import PatchScorer

    wanted, device = settings.batch_size, pick_devices(settings.device)[0]
    earlier, precision = store.batch_size(device.type), settings.precision
    if precision == "auto" and not exact and store.precision() == "bfloat16" and native_bfloat16(device):
        precision = "bfloat16"
    scorer = PatchScorer(
        bundle,
        device=settings.device,
        precision=precision,
        batch_size=earlier or wanted,
        method=method,
        keys=keys,
        exact=exact,
    )
    store.describe(scorer.device.type, scorer.batch_size, scorer.precision)
    if not earlier or wanted in (0, earlier):
        return scorer, ""
    return scorer, (
        f"The run that was stopped had batches of {earlier}, not {wanted}; they are kept so that the scores "
        "are those of an unbroken run."
    )
