"""How many threads torch uses in one thread of ours."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

_lock = threading.Lock()


@contextmanager
def torch_threads(count: int) -> Iterator[None]:
    """Let torch use ``count`` threads in the calling thread; other threads, and new ones, keep their number.

    Several networks side by side with one thread each are as fast as one with several, and do not wait for
    each other at every layer when other work takes a core.
    """
    import torch

    # Asking first, because a thread's first question sets its number to the common one.
    with _lock:
        before = torch.get_num_threads()
        torch.set_num_threads(count)
        _restore_common(before)
    try:
        yield
    finally:
        with _lock:
            torch.set_num_threads(before)


def _restore_common(count: int) -> None:
    """Set the number that new threads begin with, which ``set_num_threads`` changed, from a thread that ends."""
    import torch

    def restore() -> None:
        torch.get_num_threads()
        torch.set_num_threads(count)

    thread = threading.Thread(target=restore)
    thread.start()
    thread.join()
