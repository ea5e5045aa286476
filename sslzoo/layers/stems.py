"""The choice of the first layers of convolutional encoders, for large or small images."""

STEMS = ("auto", "imagenet", "small")


def choose_stem(input_shape: tuple, stem: str = "auto") -> str:
    """The stem for "auto": "small" up to 64 px, since that of ImageNet reduces a 32 px image to 8 x 8.

    Args:
        input_shape: (height, width, channels).
        stem: one of STEMS.

    Raises:
        ValueError: if the stem is unknown, or "auto" without an image size.
    """
    if stem not in STEMS:
        raise ValueError(f"no stem {stem!r}: choose one of {', '.join(STEMS)}")
    if stem != "auto":
        return stem
    if None in input_shape[:2]:
        raise ValueError('stem "auto" needs the image size: give (height, width, channels), or name the stem')
    return "small" if max(input_shape[:2]) <= 64 else "imagenet"
