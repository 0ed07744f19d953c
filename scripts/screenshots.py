"""Draw the pictures of the documentation again: ``scripts/screenshots.py docs/images``."""

import argparse
from pathlib import Path

from napari_medpatch.plugin.demo_window import take_screenshots


def main() -> None:
    """Write the pictures into a folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seconds", type=int, default=30, help="time budget of the retraining (default 30)")
    parser.add_argument("--theme", choices=["dark", "light"], default="dark")
    parser.add_argument("--slides", action="store_true", help="the pictures of docs/slides.md")
    arguments = parser.parse_args()
    for path in take_screenshots(
        arguments.folder, seconds=arguments.seconds, theme=arguments.theme, slides=arguments.slides
    ):
        print(path)


if __name__ == "__main__":
    main()
