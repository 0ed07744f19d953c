"""Draw the pictures of the documentation again: ``scripts/screenshots.py docs/images``."""

import argparse
from pathlib import Path

from volume_tours import VOLUME_TOURS

from napari_medpatch.plugin.demo_window import take_screenshots, visit


def main() -> None:
    """Write the pictures into a folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seconds", type=int, default=30, help="time budget of the retraining (default 30)")
    parser.add_argument("--theme", choices=["dark", "light"], default="dark")
    parser.add_argument("--slides", action="store_true", help="the pictures of docs/slides.md")
    parser.add_argument("--volumes", action="store_true", help="the pictures of docs/volumes.md")
    arguments = parser.parse_args()
    if arguments.volumes:
        pictures = [path for tour in VOLUME_TOURS for path in visit(tour, arguments.folder, theme=arguments.theme)]
    else:
        pictures = take_screenshots(
            arguments.folder, seconds=arguments.seconds, theme=arguments.theme, slides=arguments.slides
        )
    print(*pictures, sep="\n")


if __name__ == "__main__":
    main()
