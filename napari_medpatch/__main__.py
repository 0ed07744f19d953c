"""``python -m napari_medpatch``: the same as the ``napari-medpatch`` command."""

import sys

from napari_medpatch.cli import main

if __name__ == "__main__":
    sys.exit(main())
