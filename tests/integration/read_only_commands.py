"""Run commands where this user may not write or read; prints exit code, error and what changed as JSON.

Called as a user without rights: ``read_only_commands.py FOLDER``, where ``FOLDER/locked`` cannot be written,
``FOLDER/secret`` not be read and ``FOLDER/open`` both.
"""

import contextlib
import io
import json
import sys
from pathlib import Path

from napari_medpatch.cli import main


def commands(folder: Path) -> dict[str, list[str]]:
    """One command per job, each with an output that cannot be written or an input that cannot be read."""
    given, locked, secret, free = (folder / name for name in ("given", "locked", "secret", "open"))
    ct, mask, labels = (str(given / f"{name}.nii.gz") for name in ("ct", "mask", "labels"))
    steps, shape, once = ["--step", "largest:1"], ["--method", "shape"], ["--steps", "1"]
    segment = ["segment", ct, "-m", "lungs-threshold", "-o"]
    return {
        "segment": [*segment, str(locked / "m.nii.gz")],
        "segment maps": [*segment, str(free / "m.nii.gz"), "--probabilities", str(locked / "p.nii.gz")],
        "segment into a new folder": [*segment, str(locked / "new" / "m.nii.gz")],
        "clean": ["clean", mask, "-o", str(locked / "c.nii.gz"), *steps],
        "evaluate": ["evaluate", mask, mask, "--report", str(locked / "report")],
        "interpolate": ["interpolate", ct, labels, "-o", str(locked / "f.nii.gz"), *shape],
        "origins": ["interpolate", ct, labels, "-o", str(free / "f.nii.gz"), "--origins", str(locked / "o.nii.gz")],
        "export": ["export", mask, "-o", str(locked / "e.nrrd")],
        "slices": ["export", ct, "-o", str(locked / "slices")],
        "mesh": ["export", mask, "-o", str(locked / "e.stl")],
        "finetune": ["finetune", ct, labels, "-o", str(locked / "model"), *once],
        "predict": ["finetune", ct, labels, "-o", str(free / "model"), "--predict", str(locked / "p.nii.gz"), *once],
        "secret file": ["info", str(secret / "ct.nii.gz")],
        "secret folder": ["info", str(secret)],
        "secret mask": ["clean", str(secret / "ct.nii.gz"), "-o", str(free / "c.nii.gz"), *steps],
        "secret truth": ["evaluate", mask, str(secret / "ct.nii.gz")],
        "secret series": ["export", mask, "-o", str(free / "m.dcm"), "--like", str(secret)],
        "secret labels": ["interpolate", ct, str(secret / "ct.nii.gz"), "-o", str(free / "f.nii.gz")],
    }


def outcome(arguments: list[str]) -> tuple[int, str]:
    """Run a command in this process."""
    said = io.StringIO()
    with contextlib.redirect_stderr(said), contextlib.redirect_stdout(io.StringIO()):
        code = main([*arguments, "--quiet"])
    return code, said.getvalue()


if __name__ == "__main__":
    place = Path(sys.argv[1])
    sys.stdout.write(json.dumps({name: outcome(words) for name, words in commands(place).items()}))
