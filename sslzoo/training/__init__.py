"""A training run: the experiment, its loop, checkpoints, monitors and records."""
