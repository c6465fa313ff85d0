"""Stacked models: every parameter has a leading axis R, one entry per model; inputs are [R, batch, ...]."""
