"""Runs models: jobs over images, devices, precision, exact tiling."""

from napari_medpatch.infer.allocator import use_large_pages

# Here, because torch asks once, and whatever imports torch for a model has come by here.
use_large_pages()
