"""``napari-medpatch demo``."""

import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path

from napari_medpatch.cli.common import print_line
from napari_medpatch.cli.kept import is_new
from napari_medpatch.cli.progress import consume

_SCREEN = ["xvfb-run", "-a", "-s", "-screen 0 1600x1000x24"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the arguments."""
    parser.add_argument("-o", "--output", type=Path, default=Path("demo_output"), metavar="DIR")
    parser.add_argument("--headless", action="store_true", help="leave no window open at the end")
    parser.add_argument("--seconds", type=float, default=30.0, help="time budget of the retraining (default 30)")


def run(arguments: argparse.Namespace) -> int:
    """Run the four jobs, draw the window, and leave it open where there is a display."""
    from napari_medpatch.demo import demo_steps
    from napari_medpatch.io.atomic import check_writable

    folder = arguments.output
    check_writable(folder / "README.txt")
    for step in demo_steps(folder, seconds=arguments.seconds):
        consume(step.start(), step.title, quiet=arguments.quiet)
    draw_window(folder)
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        print_line(str(path))
    if has_display() and not arguments.headless:
        from napari_medpatch.plugin.launch import launch_demo

        launch_demo(folder)
    return 0


def kept(arguments: argparse.Namespace, begun_ns: int) -> list[str]:
    """Return what a demo that was stopped leaves, in words."""
    return [f"what was finished is in {arguments.output}"] if is_new(arguments.output, begun_ns) else []


def has_display() -> bool:
    """Return whether a window can be shown here."""
    return sys.platform in ("win32", "darwin") or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def draw_window(folder: Path) -> None:
    """Take the screenshots in a process of their own, on a virtual screen where there is none."""
    command = [sys.executable, "-m", "napari_medpatch.plugin.demo_window", str(folder)]
    if not has_display():
        if shutil.which("xvfb-run") is None:
            sys.stderr.write("napari-medpatch: no display and no xvfb-run, so no screenshots; install xvfb.\n")
            return
        command = _SCREEN + command
    finished = subprocess.run(command, capture_output=True, text=True, check=False)
    if finished.returncode != 0:
        last = (finished.stderr.strip().splitlines() or ["no message"])[-1]
        sys.stderr.write(f"napari-medpatch: the screenshots failed: {last}\n")
