"""From settings to the way in which patches are scored."""

from typing import TYPE_CHECKING, cast

from napari_medpatch.errors import SettingsError
from napari_medpatch.infer.scoring import AveragedScores, Look, PlainScores, ScoringMethod, plain_look

if TYPE_CHECKING:
    from napari_medpatch.infer.classify_result import ClassifySettings
    from napari_medpatch.models.bundle import Bundle


def choose_scoring(bundle: "Bundle", settings: "ClassifySettings") -> "tuple[Bundle, ScoringMethod]":
    """Return the bundle to load and the method to score with.

    With both test-time augmentation and Monte-Carlo dropout every view is seen in every pass:
    ``(1 + tta) × mc_dropout`` passes of the network.

    Raises
    ------
    SettingsError
        If a number is negative or ``tta`` is asked of the exact path.
    """
    check_settings(settings)
    if not settings.tta and not settings.mc_dropout:
        return bundle, PlainScores(bundle.card)
    looks: list[Look] = [plain_look]
    if settings.tta:
        from napari_medpatch.infer.tta import augmented_looks

        looks = augmented_looks(settings.tta, settings.seed)
    if settings.mc_dropout:
        from napari_medpatch.infer.mc_dropout import DropoutBundle

        dropping = DropoutBundle(bundle)
        looks = dropping.looks(settings.mc_dropout, settings.seed, looks)
        bundle = cast("Bundle", dropping)
    return bundle, AveragedScores(bundle.card, looks)


def check_settings(settings: "ClassifySettings") -> None:
    """Raise :class:`SettingsError` for numbers of views, passes and patches that make no sense."""
    for name, least in (("tta", 0), ("mc_dropout", 0), ("top_k", 1)):
        value = getattr(settings, name)
        if value < least:
            raise SettingsError(f"{name} is {value}, but must be {least} or more.")
    if settings.mc_dropout == 1:
        raise SettingsError("One pass of Monte-Carlo dropout has no spread; ask for 2 or more (20 is usual).")
    if settings.tta and settings.exact:
        raise SettingsError(
            "Test-time augmentation and the exact path exclude each other: WSInfer looks once at each patch; "
            "leave one of the two out."
        )


def describe_randomness(settings: "ClassifySettings") -> tuple[int, int, int]:
    """Return what of the settings decides random scores; the seed counts only where something is random."""
    random = settings.tta or settings.mc_dropout
    return settings.tta, settings.mc_dropout, settings.seed if random else 0
