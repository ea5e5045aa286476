"""What is reset before each example of the gallery, so that its output does not depend on the others."""

import logging

import keras


def reset(gallery_conf: dict, name: str) -> None:
    """Called by sphinx-gallery before each example: messages are silent, and Keras is empty."""
    log = logging.getLogger("sslzoo")
    log.handlers.clear()
    log.setLevel(logging.NOTSET)
    keras.backend.clear_session()
