"""Jobs that run on the GUI thread because napari waits for them: shown in its activity dock."""

from contextlib import closing
from typing import Any

from napari_medpatch.events import Finished, Job, Started, Working


def watch_in_napari(job: Job) -> Any:
    """Run a job to its end with napari's progress bar, and return its result.

    napari calls readers and waits for their layers; its bar lets the window draw itself meanwhile.
    """
    from napari.utils import progress

    bar, result = None, None
    with closing(job):  # type: ignore[type-var]
        try:
            for event in job:
                if isinstance(event, Started):
                    bar = _begun(bar, event, progress)
                elif isinstance(event, Working) and bar is not None:
                    bar.update(max(0, int(event.done) - bar.n))
                elif isinstance(event, Finished):
                    result = event.result
        finally:
            if bar is not None:
                bar.close()
    return result


def _begun(bar: Any, event: Started, progress: Any) -> Any:
    if bar is not None:
        bar.close()
    return progress(total=event.total, desc=f"Reading {event.unit}")
