"""One thread for NumPy's and SciPy's small products: waiting for helpers costs up to ten times more."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from threading import Lock
from typing import Any

_lock = Lock()
# The limit belongs to the process, so jobs side by side share it: the first sets it, the last restores it.
_users: list[Any] = []


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Keep BLAS on the calling thread inside; several threads may be inside at once."""
    with _lock:
        _users.append(_users[0] if _users else _blas().limit(limits=1, user_api="blas"))
    try:
        yield
    finally:
        with _lock:
            limit = _users.pop()
            if not _users:
                limit.restore_original_limits()


@lru_cache(maxsize=1)
def _blas() -> Any:
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()
