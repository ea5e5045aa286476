"""Masks of attention: which tokens a token sees, for methods that predict patches in an order."""

from keras import ops


def causal(length: int):
    """Which patches a patch sees in an order: itself and the earlier ones; bool (1, length, length)."""
    place = ops.arange(length)
    return place[None, None] <= place[None, :, None]


def prefix(noise, length: int):
    """AIM's prefix attention (arXiv 2401.08541, section 3.3): patches see the earlier ones, and all of the prefix.

    Args:
        noise: uniform (n,); the prefix has 1..length - 1 patches.
        length: int, number of patches.

    Returns:
        `allowed`, bool (n, length, length), true where a patch (second axis) sees another (third axis), and `hidden`,
        bool (n, length), true for patches after the prefix.
    """
    place = ops.arange(length)
    first = 1 + ops.cast(ops.floor(noise * (length - 1)), "int32")
    hidden = place[None] >= ops.cast(first, place.dtype)[:, None]
    return causal(length) | ~hidden[:, None], hidden


def with_extra(allowed, seen, extra: int):
    """Attention of class tokens and registers too: they see themselves and some patches, and are seen by all.

    A class token that saw all patches would hand later ones to earlier ones in the next block.

    Args:
        allowed: bool (n, patches, patches), which patches a patch sees.
        seen: bool (n, patches), which patches the class tokens see.
        extra: int, tokens before those of the patches.

    Returns:
        bool (n, extra + patches, extra + patches).
    """
    first = ops.repeat(seen[:, None], extra, axis=1)
    columns = ops.concatenate([first, allowed], axis=1)
    return ops.concatenate([ops.ones_like(columns[:, :, :extra]), columns], axis=2)
