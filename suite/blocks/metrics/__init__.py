"""How far samples are from samples: precision and recall, sliced Wasserstein, MMD, Frechet; a stack of sets at once."""
