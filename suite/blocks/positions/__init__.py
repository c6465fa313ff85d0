"""Positions: how a model knows where a token stands."""
