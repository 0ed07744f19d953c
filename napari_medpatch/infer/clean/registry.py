"""All cleaning steps by keyword, and their text."""

from collections.abc import Iterable

from napari_medpatch.errors import SettingsError
from napari_medpatch.infer.clean.ball_steps import Close, Grow, Open, Shrink
from napari_medpatch.infer.clean.classes import LimitHU, Merge
from napari_medpatch.infer.clean.components import DropSmall, FillHoles, KeepLargest
from napari_medpatch.infer.clean.smooth import Smooth
from napari_medpatch.infer.clean.split import SplitLeftRight
from napari_medpatch.infer.clean.step import CleanStep

STEPS: dict[str, type[CleanStep]] = {
    kind.keyword: kind
    for kind in (
        KeepLargest, DropSmall, FillHoles, Smooth, Close, Open, Grow, Shrink, SplitLeftRight, Merge, LimitHU,
    )
}  # fmt: skip


def parse_step(text: str) -> CleanStep:
    """Read one step.

    Parameters
    ----------
    text : str
        ``keyword:argument@class,class``, such as ``"largest:1"``, ``"drop:2ml@lung"``, ``"fill-holes:slices"``,
        ``"smooth:1.5mm"``, ``"close:3mm"``, ``"open:2mm"``, ``"grow:1mm"``, ``"shrink:1mm"``,
        ``"split-left-right"``, ``"merge:lung=right lung,left lung"``, ``"hu:-1024..-300"``.

    Raises
    ------
    SettingsError
        If there is no such step or its argument cannot be read.
    """
    call, at, names = text.rpartition("@") if "@" in text else (text, "", "")
    classes = tuple(name.strip() for name in names.split(",") if name.strip())
    keyword, _, argument = call.partition(":")
    kind = STEPS.get(keyword.strip())
    if kind is None:
        raise SettingsError(f"There is no clean-up {keyword.strip()!r}; known are {', '.join(STEPS)}.")
    if at and not classes:
        raise SettingsError(f"{text!r} names no class after the @; leave it out to clean all classes.")
    return kind.parse(argument.strip(), classes)


def parse_steps(steps: Iterable[CleanStep | str]) -> tuple[CleanStep, ...]:
    """Read several steps in order; those that are steps already stay as they are."""
    return tuple(parse_step(step) if isinstance(step, str) else step for step in steps)
