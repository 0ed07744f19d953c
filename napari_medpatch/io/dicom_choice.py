"""Which stack of a folder is meant, and how stacks are named."""

from collections.abc import Sequence
from pathlib import Path

from napari_medpatch.errors import ChoiceNeededError
from napari_medpatch.io.dicom_stack import Stack


def stack_name(stack: Stack) -> str:
    """Return a stack's name for people: ``"series 3: CHEST 2.5mm, 133 slices, CT"``."""
    file, count = stack.first.file, len(stack.slices)
    series = "series" if file.number is None else f"series {file.number}"
    parts = [
        f"{series}: {file.description or 'no description'}",
        f"{count} slice{'s' if count > 1 else ''}",
        file.modality,
        "scout" if file.localizer else "",
        stack.label,
        "" if stack.even else "uneven distances",
    ]
    return ", ".join(filter(None, parts))


def choose_stack(stacks: Sequence[Stack], given: Path, wanted: int | None) -> int:
    """Return the index of the stack to open.

    Parameters
    ----------
    stacks : sequence of Stack
        All of the folder, or those of a file's series.
    given : Path
        What the user named: a file is in the stack to open.
    wanted : int or None
        The user's choice.

    Raises
    ------
    ChoiceNeededError
        If there are several, or none of the wanted index.
    """
    if wanted is not None and 0 <= wanted < len(stacks):
        return wanted
    names = [stack_name(stack) for stack in stacks]
    if wanted is not None:
        last = len(stacks) - 1
        which = f"give an index from 0 to {last}" if last else "it holds one, with the index 0"
        raise ChoiceNeededError(f"{given} has no volume {wanted}; {which}.", names)
    fitting = _fitting(stacks, given)
    if len(fitting) == 1:
        return fitting[0]
    what = "series" if len({stack.first.file.series for stack in stacks}) == len(stacks) else "volumes"
    raise ChoiceNeededError(f"{given} holds {len(stacks)} {what}; say which one, from 0 to {len(stacks) - 1}.", names)


def _fitting(stacks: Sequence[Stack], given: Path) -> list[int]:
    """Return the stacks that a given file is in; of a folder those that are no scouts, if there are any."""
    if given.is_file():
        return [n for n, stack in enumerate(stacks) if any(one.path == given for one in stack.slices)]
    images = [n for n, stack in enumerate(stacks) if not stack.first.file.localizer]
    return images or list(range(len(stacks)))
