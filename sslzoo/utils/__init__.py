"""What belongs to no part of self-supervised learning: files, names, plots, replicas, provenance."""
