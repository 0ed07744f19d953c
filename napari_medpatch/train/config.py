"""What a training run is asked for, and how much of it is used up."""

import math
import time
from dataclasses import dataclass

from napari_medpatch.errors import MedPatchError


@dataclass(frozen=True, slots=True)
class FineTuneSettings:
    """How to learn from sparse labels.

    Parameters
    ----------
    seconds : float
        Time budget: everything from the call to the last network output; only bringing the result to the
        image's full resolution comes on top. Ignored when ``steps`` is given.
    steps : int, optional
        Optimiser steps instead of a time budget. With a fixed seed the result is then reproducible.
    device : str
        As :func:`napari_medpatch.infer.device.pick_device` takes it.
    seed : int
        Of weights, patches, augmentation and the forest.
    predict : bool
        Also make mask and probability maps of the image.
    use_unlabelled : bool
        Learn from unlabelled pixels too, through a training-free estimate of their class (``train/prior.py``).
        Without it, only painted pixels count and the mask is the network's alone.
    use_accepted : bool
        Learn from labels that were interpolated or predicted and then accepted, too. Scores never count them.

    Raises
    ------
    MedPatchError
        If a budget is not positive.
    """

    seconds: float = 60.0
    steps: int | None = None
    device: str = "auto"
    seed: int = 0
    predict: bool = True
    use_unlabelled: bool = True
    use_accepted: bool = False

    def __post_init__(self) -> None:
        if self.steps is not None and self.steps < 1:
            raise MedPatchError(f"Training needs at least one step, got {self.steps}; give a positive number.")
        if not (math.isfinite(self.seconds) and self.seconds > 0):
            raise MedPatchError(f"Training needs a time above 0 s, got {self.seconds}; give a positive number.")


class Budget:
    """Seconds or steps, used up as training goes on.

    Parameters
    ----------
    seconds : float
        Time from now on; unlimited when ``steps`` is given.
    steps : int, optional
        Steps.
    """

    def __init__(self, seconds: float, steps: int | None = None) -> None:
        self.seconds = math.inf if steps is not None else float(seconds)
        self.steps = steps
        self.steps_done = 0
        self._begun = time.perf_counter()
        self._training_began = 0.0
        self._training_ends = self.seconds

    @property
    def unit(self) -> str:
        """``"steps"`` or ``"seconds"``."""
        return "seconds" if self.steps is None else "steps"

    @property
    def total(self) -> int:
        """Units of the whole run."""
        return max(1, math.ceil(self.seconds)) if self.steps is None else self.steps

    @property
    def elapsed(self) -> float:
        """Seconds since the run began."""
        return time.perf_counter() - self._begun

    @property
    def done(self) -> float:
        """Units used up, never more than :attr:`total`."""
        return min(self.elapsed, self.total) if self.steps is None else self.steps_done

    def share_left(self, share: float) -> bool:
        """Whether less than this share of the time is used up; always so when steps are counted."""
        return self.elapsed < share * self.seconds

    def start_training(self) -> None:
        """Begin the schedule of the optimiser."""
        self._training_began = self.elapsed

    def keep_back(self, reserve: float) -> None:
        """Keep seconds at the end for prediction; however slow the machine, some training takes place."""
        least = self._training_began + 0.1 * self.seconds
        self._training_ends = max(self.seconds - reserve, least)

    @property
    def fraction(self) -> float:
        """Share of the training that is over, 0…1."""
        if self.steps is not None:
            return min(1.0, self.steps_done / self.steps)
        span = max(1e-9, self._training_ends - self._training_began)
        return min(1.0, max(0.0, (self.elapsed - self._training_began) / span))
