"""Layers of the methods: heads, EMA targets, memories, decoders, and cuts through the graph of a model."""
