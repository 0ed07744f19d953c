"""The allocator keeps what it freed."""

import ctypes
import sys

import pytest

from napari_medpatch.infer.allocator import reuse_freed_memory


def _is_glibc() -> bool:
    return sys.platform.startswith("linux") and hasattr(ctypes.CDLL(None), "gnu_get_libc_version")


def test_glibc_takes_the_settings() -> None:
    assert reuse_freed_memory() == _is_glibc()


def test_elsewhere_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    assert reuse_freed_memory.__wrapped__() is False


def test_a_library_without_settings_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda name: object())
    assert reuse_freed_memory.__wrapped__() is False
