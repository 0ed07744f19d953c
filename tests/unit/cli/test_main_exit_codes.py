"""Every outcome of a command ends in one sentence and the right exit code."""

import argparse
import signal

import pytest

from napari_medpatch.cli import main as main_module_function
from napari_medpatch.cli import models_command
from napari_medpatch.cli.main import build_parser
from napari_medpatch.errors import DamagedFileError


def _outcome(monkeypatch: pytest.MonkeyPatch, error: BaseException, *arguments: str) -> int:
    def run(_: argparse.Namespace) -> int:
        raise error

    monkeypatch.setattr(models_command, "run", run)
    return main_module_function(["models", *arguments])


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (DamagedFileError("x.svs is truncated; copy it again."), 2),
        (KeyboardInterrupt(), 130),
        (MemoryError(), 2),
        (ZeroDivisionError("division"), 1),
    ],
)
def test_error_becomes_one_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: BaseException, code: int
) -> None:
    assert _outcome(monkeypatch, error) == code
    shown = capsys.readouterr()
    assert shown.out == ""
    assert len(shown.err.strip().splitlines()) == 1
    assert "Traceback" not in shown.err


def test_message_of_the_error_is_shown(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    _outcome(monkeypatch, DamagedFileError("x.svs is truncated; copy it again."))
    assert capsys.readouterr().err == "napari-medpatch: x.svs is truncated; copy it again.\n"


def test_debug_adds_the_traceback(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    _outcome(monkeypatch, DamagedFileError("broken."), "--debug")
    assert any(record.exc_info for record in caplog.records)


def test_sigterm_closes_the_job_and_exits_143(monkeypatch: pytest.MonkeyPatch) -> None:
    closed = []

    def run(_: argparse.Namespace) -> int:
        try:
            signal.raise_signal(signal.SIGTERM)
        finally:
            closed.append(True)
        return 0

    monkeypatch.setattr(models_command, "run", run)
    with pytest.raises(SystemExit) as caught:
        main_module_function(["models"])
    assert caught.value.code == 143
    assert closed == [True]


def test_bad_arguments_exit_with_2(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main_module_function(["segment", "x.nii.gz"])
    assert caught.value.code == 2
    assert "--model" in capsys.readouterr().err


@pytest.mark.parametrize(("text", "expected"), [("0.25", (0.25, 0.25)), ("0.5,0.25", (0.25, 0.5))])
def test_mpp_is_given_as_x_y_and_kept_as_y_x(text: str, expected: tuple[float, float]) -> None:
    assert build_parser().parse_args(["info", "a.svs", "--mpp", text]).mpp == expected


@pytest.mark.parametrize("text", ["0", "-1", "nan", "a", "1,2,3"])
def test_absurd_mpp_is_refused(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        build_parser().parse_args(["info", "a.svs", f"--mpp={text}"])
    assert "is not a pixel size" in capsys.readouterr().err
