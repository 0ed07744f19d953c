"""The napari window: a thin consumer of the core's jobs.

Nothing here computes; every number comes from a job or a source of the core. Qt is imported through qtpy
only, napari and the slow libraries inside the functions that need them.
"""
