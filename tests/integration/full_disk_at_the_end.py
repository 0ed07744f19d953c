"""Run commands whose disk becomes full when the work is done; called as root of a namespace of its own.

``full_disk_at_the_end.py GIVEN SMALL DATA``: a scan and labels lie in GIVEN, a file system of four megabytes comes over
SMALL, and DATA is where users keep what is theirs. Prints exit code, error and the files in SMALL as JSON.
"""

import contextlib
import io
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from napari_medpatch.cli import main, partial_mask, segment_command
from napari_medpatch.train import fine_tune_run

_SIZE = 4 << 20


def play(given: Path, small: Path, data: Path) -> dict[str, Any]:
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={_SIZE}", "none", str(small)], check=True)
    ct, labels = str(given / "ct.nii.gz"), str(given / "labels.nii.gz")
    segment = ["segment", ct, "-m", "lungs-threshold", "-o", str(small / "mask.nii.gz"), "--no-resume"]
    training = ["finetune", ct, labels, "-o", str(small / "model"), "--predict", str(small / "mask.nii.gz")]
    fine_tune_run.save_or_keep = after_filling(small, fine_tune_run.save_or_keep)
    segment_command.cleaned = after_filling(small, segment_command.cleaned)
    partial_mask._EVERY_SECONDS = -1.0
    rounds = {"finetune": outcome([*training, "--steps", "2"], small), "segment": outcome(segment, small)}
    os.environ["MEDPATCH_DATA"] = tempfile.tempdir = str(small)
    rounds["nowhere"] = outcome(segment, small)
    rounds["no room"] = outcome([*training, "--steps", "2"], small, first=lambda: fill(small))
    return rounds


def fill(small: Path) -> None:
    """Leave a few kilobytes."""
    (small / "filler").write_bytes(b"")
    (small / "filler").write_bytes(b"\0" * (os.statvfs(small).f_bavail * os.statvfs(small).f_bsize - 8192))
    for index in range(3):
        with contextlib.suppress(OSError):
            (small / f"crumb-{index}").write_bytes(b"\0" * 4096)


def after_filling(small: Path, call: Callable[..., Any]) -> Callable[..., Any]:
    def filled(*arguments: Any) -> Any:
        fill(small)
        return call(*arguments)

    return filled


def outcome(arguments: list[str], small: Path, first: Callable[[], None] | None = None) -> dict[str, Any]:
    """Run a command and clear what filled the disk."""
    said = io.StringIO()
    if first is not None:
        first()
    with contextlib.redirect_stderr(said), contextlib.redirect_stdout(io.StringIO()):
        code = main([*arguments, "--quiet", "--device", "cpu"])
    for path in small.glob("crumb-*"):
        path.unlink()
    (small / "filler").unlink(missing_ok=True)
    left = sorted(str(path.relative_to(small)) for path in small.rglob("*") if path.is_file())
    return {"code": code, "said": said.getvalue(), "left": left}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(play(*map(Path, sys.argv[1:4]))))
