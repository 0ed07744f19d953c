"""How many threads a training step should use."""

_TRIALS = 2
_TRY_AGAIN = 40


class Pace:
    """Tries all threads and one, keeps the faster, and looks again from time to time.

    Threads wait for each other at every layer. On a machine that is busy otherwise one of them is always
    late, and one thread alone was measured to be twice as fast as two.

    Parameters
    ----------
    threads : int
        What torch uses by itself.
    fixed : bool
        Always use them: results that must be reproducible cannot depend on the clock.
    """

    def __init__(self, threads: int, *, fixed: bool) -> None:
        self._choices = (threads,) if fixed or threads == 1 else (threads, 1)
        self._seconds: dict[int, list[float]] = {}
        self._kept = 0
        # The first step of all allocates memory and says nothing.
        self._warm = False

    def threads(self) -> int:
        """Return the threads of the next step."""
        for choice in self._choices:
            if len(self._seconds.get(choice, [])) < _TRIALS:
                return choice
        return min(self._choices, key=lambda choice: min(self._seconds[choice]))

    def took(self, threads: int, seconds: float) -> None:
        """Note how long a step took."""
        if not self._warm:
            self._warm = True
            return
        trials = self._seconds.setdefault(threads, [])
        if len(trials) < _TRIALS:
            trials.append(seconds)
            return
        self._kept += 1
        if self._kept % _TRY_AGAIN == 0:
            self._seconds.clear()
