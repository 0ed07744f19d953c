"""Average two bundles: ``average_bundles.py FIRST SECOND -o OUT --share 0.3``.

Both must have grown from the same start (Wortsman et al., *Model soups*, ICML 2022, arXiv 2203.05482). The card is the
second one's; a model card in the output folder keeps its text.
"""

import argparse
from dataclasses import replace
from pathlib import Path

import torch
from training_loop import kept_readme

from napari_medpatch.models.bundle import load_bundle, save_bundle


def main() -> None:
    """Average, and save."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("first", type=Path)
    parser.add_argument("second", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--share", type=float, default=0.5, help="of the second (default 0.5)")
    arguments = parser.parse_args()
    first, second = (load_bundle(path) for path in (arguments.first, arguments.second))
    net, other = second.load(), first.load().state_dict()
    with torch.no_grad():
        for name, tensor in net.state_dict().items():
            if tensor.is_floating_point():
                tensor.lerp_(other[name], 1 - arguments.share)
    # Nobody has measured these weights.
    save_bundle(
        arguments.output, replace(second.card, metrics={}), net, readme=kept_readme(arguments.output), half=True
    )


if __name__ == "__main__":
    main()
