"""Masks of patches: pure functions from uniform random numbers to sets of patches, with shapes known in advance.

Patches are numbered row by row. A method draws the numbers with `SSLModel.uniform`, so that masks do not depend on the
number of devices.
"""

import math

from keras import ops

BIG = 1e4  # rank of what is chosen last
TRIES = 20  # blocks tried for each image; more do not change the statistics of `blocks`


def random_keep(noise, keep: int) -> tuple:
    """MAE's masks (arXiv 2111.06377, section 3): each image keeps a random subset of its patches.

    Args:
        noise: uniform (n, patches); the patches of the smallest numbers are kept.
        keep: int, number of patches that are kept.

    Returns:
        The visible patches, int32 (n, keep), and the hidden ones, int32 (n, patches - keep), each in random order.
    """
    order = ops.cast(ops.argsort(noise), "int32")
    return order[:, :keep], order[:, keep:]


def cells(noise, grid: tuple[int, int], side: int):
    """One random number for each square of side x side patches, so that the squares are masked as a whole.

    SimMIM (arXiv 2111.09886, section 3.2) masks units of 32 pixels, Pixio (arXiv 2512.15715) cells of 4 x 4 patches.

    Args:
        noise: uniform (n, rows // side * columns // side).
        grid: (rows, columns) of patches.
        side: int, patches on a side of a cell, a divisor of rows and columns.

    Returns:
        (n, rows * columns); patches of a cell have consecutive ranks: argsort keeps or masks whole cells, if the
        number of kept patches is a multiple of side**2.

    Raises:
        ValueError: if the cells do not fit the grid.
    """
    rows, columns = grid
    if rows % side or columns % side:
        raise ValueError(f"cells of {side} x {side} patches do not divide a grid of {rows} x {columns}: choose another")
    rank = ops.reshape(ops.argsort(ops.argsort(noise)), (-1, rows // side, columns // side))
    rank = ops.repeat(ops.repeat(rank, side, axis=1), side, axis=2)
    return ops.cast(ops.reshape(rank, (-1, rows * columns)), "float32")


def blocks(noise, grid: tuple[int, int], wanted, least: int, aspect: float = 0.3):
    """Masks of random rectangles: BEiT (arXiv 2106.08254, algorithm 1), iBOT, DINOv2, data2vec.

    Rectangles are tried one after the other, each with an area between `least` and what is missing. One is added if it
    spans neither all rows nor all columns, and does not exceed the number wanted. The mask may fall short of it.

    Args:
        noise: uniform (n, TRIES, 4) for area, aspect ratio, top and left of each rectangle.
        grid: (rows, columns) of patches.
        wanted: int or (n,), number of patches to mask.
        least: int, smallest area that is drawn while more is missing.
        aspect: float, smallest ratio of height and width; the largest is its inverse.

    Returns:
        bool (n, rows, columns), true where masked.
    """
    rows, columns = grid
    wanted = ops.cast(wanted, "float32") + ops.zeros_like(noise[:, 0, 0])
    mask = ops.zeros((ops.shape(noise)[0], rows, columns), "bool")
    for step in range(noise.shape[1]):
        area, ratio, top, left = (noise[:, step, k] for k in range(4))
        missing = wanted - _count(mask)
        area = least + area * (missing - least)
        root = ops.exp((2 * ratio - 1) * math.log(1 / aspect) / 2)
        height, width = (ops.round(ops.sqrt(ops.maximum(area, 0)) * factor) for factor in (root, 1 / root))
        block = rectangle(top, left, height, width, grid)
        new = _count(block & ~mask)
        fits = (height < rows) & (width < columns) & (new > 0) & (new <= missing)
        mask = mask | (block & fits[:, None, None])
    return mask


def crop_blocks(noise, grid: tuple[int, int], wanted, least: int):
    """`blocks` of several crops of each image.

    Args:
        noise: uniform (n, crops, TRIES, 4).
        grid: (rows, columns) of patches.
        wanted: (n, crops), number of patches to mask.
        least: int, as of `blocks`.

    Returns:
        bool (n, crops, rows, columns).
    """
    crops = noise.shape[1]
    found = blocks(ops.reshape(noise, (-1, *noise.shape[2:])), grid, ops.reshape(wanted, (-1,)), least)
    return ops.reshape(found, (-1, crops, *grid))


def random_counts(noise, patches: int, share: float, ratios: tuple[float, float]):
    """Numbers of masked patches of iBOT (arXiv 2111.07832, appendix): some crops have none, others a random share.

    Args:
        noise: uniform (..., 2).
        patches: int, patches of a crop.
        share: float, probability that a crop is masked.
        ratios: smallest and largest share of its patches that are masked.

    Returns:
        float32 (...), for `blocks`.
    """
    ratio = ratios[0] + noise[..., 1] * (ratios[1] - ratios[0])
    return ops.where(noise[..., 0] < share, patches * ratio, 0.0)


def stratified_counts(noise, patches: int, share: float, ratios: tuple[float, float]):
    """Numbers of masked patches of DINOv2 (arXiv 2304.07193): a fixed share of crops, whose ratios fill a range evenly.

    Args:
        noise: uniform (n, 2), for all crops of the global batch.
        patches, ratios: as of `random_counts`.
        share: float, share of the crops that are masked.

    Returns:
        float32 (n,), whole numbers, for `blocks`.
    """
    rank = ops.cast(ops.argsort(ops.argsort(noise[:, 0])), "float32")
    masked = ops.floor(share * ops.cast(ops.shape(noise)[0], "float32"))
    ratio = ratios[0] + (rank + noise[:, 1]) / ops.maximum(masked, 1) * (ratios[1] - ratios[0])
    return ops.where(rank < masked, ops.floor(patches * ratio), 0.0)


def rectangle(top, left, height, width, grid: tuple[int, int]):
    """Rectangles at random places of a grid.

    Args:
        top, left: uniform (n,), for the place, which is uniform over all places where the rectangle fits.
        height, width: (n,), whole numbers of patches.
        grid: (rows, columns).

    Returns:
        bool (n, rows, columns).
    """
    down = _span(top, height, grid[0])
    across = _span(left, width, grid[1])
    return down[:, :, None] & across[:, None, :]


def _span(noise, length, count: int):
    first = _first(noise, length, count)[:, None]
    place = ops.arange(count, dtype="float32")[None]
    return (place >= first) & (place < first + length[:, None])


def _first(noise, length, count: int):
    """The first place of a span, uniform in 0..count - length."""
    return ops.floor(noise * ops.maximum(count - length + 1, 1))


def _count(mask):
    return ops.sum(ops.cast(mask, "float32"), axis=(1, 2))


def inverse_block(noise, grid: tuple[int, int], visible: int) -> tuple:
    """CAPI's masks (arXiv 2502.08769, section 3.3): one rectangle is visible, rolled around the borders of the image.

    Args:
        noise: uniform (n, 5) for aspect ratio, top and left of the rectangle, and shifts of rows and columns.
        grid: (rows, columns) of patches.
        visible: int, number of visible patches; the rectangle is filled row by row.

    Returns:
        The visible patches, int32 (n, visible), and the hidden ones, int32 (n, rows * columns - visible).
    """
    rows, columns = grid
    low, high = max(0.5, visible / columns**2), min(2.0, rows**2 / visible)
    aspect = ops.exp(math.log(low) + noise[:, 0] * (math.log(high) - math.log(low)))
    height = ops.clip(ops.ceil(ops.sqrt(visible * aspect) - 1e-4), 1, rows)
    width = ops.clip(ops.ceil(ops.sqrt(visible / aspect) - 1e-4), 1, columns)
    height = ops.maximum(height, ops.ceil(visible / width))  # rounding may leave it one row short
    inside = ops.reshape(rectangle(noise[:, 1], noise[:, 2], height, width, grid), (-1, rows * columns))
    order = ops.argsort(ops.where(inside, 0.0, BIG) + ops.arange(rows * columns, dtype="float32"))
    shifts = (ops.cast(ops.floor(noise[:, 3 + axis] * count), "int32") for axis, count in enumerate(grid))
    down, across = (shift[:, None] for shift in shifts)
    order = ops.cast(order, "int32")
    order = (order // columns + down) % rows * columns + (order % columns + across) % columns
    return order[:, :visible], order[:, visible:]


def multi_block(
    size,
    places,
    order,
    grid: tuple[int, int],
    keep: int,
    *,
    scale: tuple[float, float] = (0.15, 0.2),
    aspect: tuple[float, float] = (0.75, 1.5),
    context_scale: tuple[float, float] = (0.85, 1.0),
) -> tuple:
    """I-JEPA's masks (arXiv 2301.08243, section 3): several target blocks, and a context block without them.

    All targets of a batch have one size. Several layouts are drawn for each image; the first whose context has `keep`
    patches is used, and `keep` of them are kept at random. The authors cut every context of a batch to the smallest
    one. If no layout has enough patches, patches outside of the context block are added, and target patches last.

    Args:
        size: uniform (3,) for scale and aspect ratio of the targets and scale of the context.
        places: uniform (n, layouts, targets + 1, 2) for top and left of each target and, last, of the context.
        order: uniform (n, rows * columns), which patches of the context are kept.
        grid: (rows, columns) of patches.
        keep: int, number of context patches.
        scale, aspect: ranges of the area of a target, as a share of the image, and of its height over its width.
        context_scale: range of the area of the context, a square.

    Returns:
        The context, int32 (n, keep); the targets, int32 (n, targets, slots); and which of their slots are patches of
        the target, bool (n, targets, slots). The others have the number 0.
    """
    (rows, columns), patches = grid, grid[0] * grid[1]
    height, width = _sides(patches, _between(size[0], scale), _between(size[1], aspect), grid)
    side, _ = _sides(patches, _between(size[2], context_scale), 1.0, (min(grid), min(grid)))
    tops, lefts = _first(places[:, :, :-1, 0], height, rows), _first(places[:, :, :-1, 1], width, columns)
    corner = _first(places[:, :, -1, 0], side, rows), _first(places[:, :, -1, 1], side, columns)
    targets = ops.any(_inside(tops, lefts, height, width, grid), axis=2)  # (n, layouts, patches)
    context = _inside(*corner, side, side, grid) & ~targets
    found = ops.minimum(ops.sum(ops.cast(context, "int32"), axis=-1), keep)
    best = ops.argmax(found, axis=1)
    tops, lefts, targets, context = (_of_layout(x, best) for x in (tops, lefts, targets, context))
    later = ops.where(context, 0.0, ops.where(targets, 2.0, 1.0))
    largest = int(patches * scale[1])
    most = round(math.sqrt(largest * aspect[1])), round(math.sqrt(largest / aspect[0]))
    hidden, real = _slots(tops, lefts, height, width, (min(most[0], rows), min(most[1], columns)), columns)
    return ops.cast(ops.argsort(order + later)[:, :keep], "int32"), hidden, real


def union(blocks, real, patches: int):
    """Patches that are in one of several blocks.

    Args:
        blocks: int (n, blocks, slots), numbers of patches.
        real: bool (n, blocks, slots), which slots count.
        patches: int, number of patches.

    Returns:
        bool (n, patches).
    """
    return ops.any(ops.one_hot(blocks, patches, dtype="bool") & real[..., None], axis=(1, 2))


def _between(noise, limits: tuple[float, float]):
    return limits[0] + noise * (limits[1] - limits[0])


def _sides(patches: int, scale, aspect, grid: tuple[int, int]) -> tuple:
    """Height and width of a block, whole numbers, from its share of the image and the ratio of its sides."""
    area = ops.floor(patches * ops.cast(scale, "float32"))
    sides = ops.round(ops.sqrt(area * aspect)), ops.round(ops.sqrt(area / aspect))
    return tuple(ops.clip(side, 1, most) for side, most in zip(sides, grid, strict=True))


def _of_layout(x, chosen):
    """One layout of each image: x (n, layouts, ...), chosen int (n,) -> (n, ...)."""
    return ops.take_along_axis(x, ops.reshape(chosen, (-1, *[1] * (len(x.shape) - 1))), axis=1)[:, 0]


def _slots(tops, lefts, height, width, most: tuple[int, int], columns: int) -> tuple:
    """Patches of blocks at (tops, lefts), (n, targets), in `most` slots: numbers and whether they are of the block."""
    down, across = ops.repeat(ops.arange(most[0]), most[1]), ops.tile(ops.arange(most[1]), (most[0],))
    real = (ops.cast(down, "float32") < height) & (ops.cast(across, "float32") < width)
    corner = ops.cast(tops * columns + lefts, "int32")[..., None]
    hidden = ops.where(real, corner + ops.cast(down * columns + across, "int32"), 0)
    return hidden, ops.broadcast_to(real, ops.shape(hidden))


def _inside(top, left, height, width, grid: tuple[int, int]):
    """Whether each patch is in a rectangle: top, left (...) -> bool (..., rows * columns)."""
    rows, columns = grid
    row = ops.repeat(ops.arange(rows, dtype="float32"), columns)
    column = ops.tile(ops.arange(columns, dtype="float32"), (rows,))
    top, left = top[..., None], left[..., None]
    return (row >= top) & (row < top + height) & (column >= left) & (column < left + width)
