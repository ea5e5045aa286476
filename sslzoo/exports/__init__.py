"""Exported encoders: SavedModel, other formats, model card, index, scikit-learn, weights from PyTorch."""
