"""Encoders judged on datasets: evaluate, compare, embed, and the untrained baseline."""
