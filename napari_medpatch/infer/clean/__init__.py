"""Cleaning of masks in steps that can be seen, chosen and undone."""
