"""Let freed memory be used again instead of returned to the system.

Tiles and patches are arrays of 0.2 to 20 MB that live for milliseconds. The C library maps each of them anew
and the kernel clears every page of it: a third of the processor time between file and network. With these
settings such arrays come from memory that was used before; at most 256 MB of it are kept.
"""

import ctypes
import os
import sys
from functools import cache

_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD = -1, -2, -3
"""Numbers of ``mallopt`` in ``malloc.h``."""

_SETTINGS = {_MMAP_THRESHOLD: 64 << 20, _TRIM_THRESHOLD: 256 << 20, _TOP_PAD: 16 << 20}


def use_large_pages() -> None:
    """Let torch ask for pages of 2 MB, where Linux gives them on demand; before torch is imported.

    A network's maps hold tens of megabytes each, and clearing them in pages of 4 KB took up to two fifths of the
    processor time of a 3D U-Net.
    """
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")


@cache
def reuse_freed_memory() -> bool:
    """Set the allocator of this process, once; return whether it took the settings.

    Other C libraries than glibc (macOS, Windows, musl) have no such settings and are left alone.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        library = ctypes.CDLL(None)
        library.gnu_get_libc_version  # noqa: B018 - musl has a mallopt that does nothing, but not this
        mallopt = library.mallopt
    except (OSError, AttributeError):
        return False
    return all(mallopt(option, value) for option, value in _SETTINGS.items())
