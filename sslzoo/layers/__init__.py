"""Layers of the methods: heads, EMA targets, memories, decoders, and cuts of a model's graph."""
