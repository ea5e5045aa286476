"""Public checks for methods, encoders, views, evaluators and datasets."""
