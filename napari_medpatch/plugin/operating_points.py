"""From which probability on a patch counts as positive, per class."""

from collections.abc import Sequence

DEFAULT = 0.5


class OperatingPoints:
    """One threshold per class; the two of a binary model are two sides of one cut.

    Parameters
    ----------
    class_names : sequence of str
        Of the model.
    threshold : float, optional
        Operating point of the model: of its only class, or of the last of two.
    """

    def __init__(self, class_names: Sequence[str], threshold: float | None = None) -> None:
        self._names = tuple(class_names)
        self._values = dict.fromkeys(self._names, DEFAULT)
        if threshold is not None and len(self._names) <= 2:
            self.set(self._names[-1], threshold)

    def of(self, name: str) -> float:
        """Return a class's threshold; 0 for what is no class."""
        return self._values.get(name, 0.0)

    def set(self, name: str, value: float) -> None:
        """Move a class's threshold; of two classes, the other one's moves to ``1 - value``."""
        self._values[name] = value
        if len(self._names) == 2:
            (other,) = (each for each in self._names if each != name)
            self._values[other] = round(1.0 - value, 9)

    @property
    def deciding(self) -> float | None:
        """The threshold that decides a patch's class; None where the most probable class wins."""
        return self._values[self._names[-1]] if len(self._names) <= 2 else None
