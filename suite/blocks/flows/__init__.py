"""Flow matching: stacked velocity fields, their loss and their sampler."""
