"""What the fork server imports before it forks workers; importing starts no thread, so that forking is safe."""

import lightning.pytorch  # noqa: F401
import torch  # noqa: F401

import suite.fit
import suite.seeds
import suite.worker  # noqa: F401
