"""Embedded data: what a Python installation brings along, with digests, splits and named draws."""
