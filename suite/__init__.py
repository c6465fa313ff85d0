"""Experiment reproduction for machine learning: published claims as tasks with a rule fixed beforehand."""

__version__ = "0.1.0"
