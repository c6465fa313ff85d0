"""Attention: masks, kinds of scores, and what is done to them."""
