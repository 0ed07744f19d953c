"""What every cleaning step has in common."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Self

from napari_medpatch.errors import SettingsError
from napari_medpatch.infer.clean.work import Work


@dataclass(frozen=True, slots=True)
class CleanStep:
    """One step; its text is ``keyword:argument@class,class``.

    Parameters
    ----------
    classes : tuple of str
        What it treats; all classes by default.
    """

    classes: tuple[str, ...] = ()

    keyword: ClassVar[str] = ""
    title: ClassVar[str] = ""
    tip: ClassVar[str] = ""
    example: ClassVar[str] = ""
    """An argument to begin with; empty for steps that take none."""

    def apply(self, work: Work) -> Iterator[float]:
        """Change the mask in place, yielding the share done several times a second where that is possible."""
        raise NotImplementedError

    def fits(self, work: Work) -> None:
        """Raise :class:`SettingsError` before the first step if this one does not fit the image."""

    def check(self, work: Work) -> None:
        """Raise :class:`SettingsError` when its turn has come if this step does not fit the classes."""
        work.values_of(self.classes)

    @property
    def argument(self) -> str:
        """The step's argument as text."""
        return ""

    @classmethod
    def parse(cls, argument: str, classes: tuple[str, ...]) -> Self:
        """Make the step from its argument; this one takes none."""
        if argument:
            raise SettingsError(f"The clean-up {cls.keyword} takes no {argument!r}; write {cls.keyword} alone.")
        return cls(classes)

    def __str__(self) -> str:
        argument = f":{self.argument}" if self.argument else ""
        classes = f"@{','.join(self.classes)}" if self.classes else ""
        return f"{self.keyword}{argument}{classes}"
