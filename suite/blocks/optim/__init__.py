"""Elementwise update rules; each serves one tensor as well as a flat stack of models with a rate per row."""
