"""Other numbers for the classes of a mask, so that masks of different numbering or detail can be compared."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from napari_medpatch.errors import SettingsError
from napari_medpatch.evaluate.masks import Mask

EVERYTHING = "all"
_MOST = 255


@dataclass(frozen=True, slots=True)
class ClassMap:
    """Which class becomes which.

    Parameters
    ----------
    pairs : tuple of (str, int)
        A class, by its value, its name or :data:`EVERYTHING`, and the value that it gets; 0 makes it background.
        Later pairs overrule earlier ones, and any pair overrules that of everything.
    """

    pairs: tuple[tuple[str, int], ...] = ()

    @classmethod
    def parse(cls, text: str) -> "ClassMap":
        """Read ``"1=2,2=1"``, ``"left lung=1"`` or ``"all=1"``.

        Raises
        ------
        SettingsError
            If it is none of these.
        """
        pairs = []
        for part in filter(None, (each.strip() for each in text.split(","))):
            old, _, new = (piece.strip() for piece in part.rpartition("="))
            if not old or not new.isdecimal() or int(new) > _MOST:
                raise SettingsError(
                    f"{part!r} does not say which class becomes which; write 2=1, a name as in left lung=1, or all=1, "
                    f"with values from 0 to {_MOST}."
                )
            pairs.append((old, int(new)))
        return cls(tuple(pairs))

    def __str__(self) -> str:
        """Return what :meth:`parse` reads."""
        return ",".join(f"{old}={new}" for old, new in self.pairs)

    def apply(self, values: Mask, names: Sequence[str] = ()) -> tuple[Mask, tuple[str, ...]]:
        """Return a mask with its new values, and their names.

        Parameters
        ----------
        values : ndarray
            uint8, 0 background, 1… classes.
        names : sequence of str
            Of values 1, 2, …. Classes that become one are named after all of them.

        Raises
        ------
        SettingsError
            If there is no class of a name.
        """
        if not self.pairs:
            return values, tuple(names)
        table = self._table(names)
        return table[values], _new_names(table, names)

    def _table(self, names: Sequence[str]) -> npt.NDArray[np.uint8]:
        table = np.arange(_MOST + 1, dtype=np.uint8)
        for old, new in self.pairs:
            if old.casefold() == EVERYTHING:
                table[1:] = new
        for old, new in self.pairs:
            if old.casefold() != EVERYTHING:
                table[_value_of(old, names)] = new
        return table


def recorded(prediction: ClassMap, truth: ClassMap) -> dict[str, dict[str, str]]:
    """Return what the provenance of a result says of classes that got other values, empty if none did."""
    maps = {side: str(each) for side, each in (("prediction", prediction), ("truth", truth)) if each.pairs}
    return {"class_maps": maps} if maps else {}


def _value_of(text: str, names: Sequence[str]) -> int:
    """Return the value of a class that is given as a number or by its name."""
    if text.isdecimal() and 0 < int(text) <= _MOST:
        return int(text)
    known = [name.casefold() for name in names]
    if text.casefold() in known:
        return known.index(text.casefold()) + 1
    has = ", ".join(f"{value} {name}" for value, name in enumerate(names, start=1)) or "no names"
    raise SettingsError(f"There is no class {text!r} to give another value; the mask has {has}.")


def _new_names(table: npt.NDArray[np.uint8], names: Sequence[str]) -> tuple[str, ...]:
    found: dict[int, list[str]] = {}
    for value, name in enumerate(names, start=1):
        own = found.setdefault(int(table[value]), [])
        if name and name not in own:
            own.append(name)
    found.pop(0, None)
    return tuple(" + ".join(found.get(value, [])) for value in range(1, max(found, default=0) + 1))
