"""Catalogue of runs: run folders are read as they are on disk, without TensorFlow."""
