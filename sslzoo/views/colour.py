"""Colour operations: jitter and grayscale, which compose into one affine map per image, and solarize."""

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import tensorflow as tf

from sslzoo.catalog.knobs import nearest
from sslzoo.views.operation import Colour, Draws, Operation, between, check_number, fold, uniform

LUMA = np.array([0.299, 0.587, 0.114])  # Rec. 601
YIQ = np.array([LUMA, [0.596, -0.274, -0.322], [0.211, -0.523, 0.312]])  # NTSC: gray has neither I nor Q


def _brightness(factor: tf.Tensor, channels: int) -> Colour:
    pixel = factor * tf.eye(channels)
    return Colour(pixel, tf.zeros_like(pixel))


def _contrast(factor: tf.Tensor, channels: int) -> Colour:
    return Colour(factor * tf.eye(channels), (1 - factor) * _gray(channels))


def _saturation(factor: tf.Tensor, channels: int) -> Colour:
    pixel = factor * tf.eye(channels) + (1 - factor) * _gray(channels)
    return Colour(pixel, tf.zeros_like(pixel))


def _hue(turn: tf.Tensor, channels: int) -> Colour:
    # The three terms of Rodrigues' formula, converted from YIQ to RGB: constant, times cosine, times sine.
    constant, cosine, sine = (
        tf.constant(np.linalg.inv(YIQ) @ np.array(term) @ YIQ, tf.float32)
        for term in (np.diag([1, 0, 0]), np.diag([0, 1, 1]), [[0, 0, 0], [0, 0, -1], [0, 1, 0]])
    )
    pixel = constant + tf.cos(2 * math.pi * turn) * cosine + tf.sin(2 * math.pi * turn) * sine
    return Colour(pixel, tf.zeros_like(pixel))


PARTS = dict(brightness=_brightness, contrast=_contrast, saturation=_saturation, hue=_hue)
HUE_SPACES = ("yiq", "hsv")


@dataclass(frozen=True)
class Jitter(Operation):
    """Brightness, contrast, saturation and hue in random order (SimCLR, arXiv:2002.05709, appendix A).

    The order is drawn for each image. Brightness, contrast and saturation draw a factor from U(max(0, 1 - x), 1 + x).
    It multiplies the pixel (brightness), its distance from the mean gray of the crop (contrast) or its distance from
    its own gray value (saturation). Hue rotates the colours about the gray axis by U(-hue, hue) of a full turn.

    There are two differences from torchvision: in YIQ hue is linear in the pixels, so that it is composed with the
    other parts; and values are clipped once after all colour operations, not after each. The hue of HSV is that of
    torchvision, in its place in the order, of values that are clipped before; a blur comes first.

    A part of strength 0 is omitted. Without saturation and hue, images may have any number of channels; gray is then
    the mean of the channels.

    Attributes:
        brightness: strength of brightness, 0 or more.
        contrast: strength of contrast, 0 or more.
        saturation: strength of saturation, 0 or more.
        hue: strength of hue in full turns, in [0, 0.5].
        p: probability of the jitter.
        before_crop: contrast is relative to the mean gray of the whole image instead of the crop, as if the jitter came
            first. The other parts treat each pixel by itself, so that their order makes no difference.
        hue_space: "yiq" or "hsv", the space in which the hue is changed.

    Raises:
        ValueError: if a value is outside its range, or all strengths are 0.
    """

    stage: ClassVar[int] = 1
    brightness: float = 0.8
    contrast: float = 0.8
    saturation: float = 0.8
    hue: float = 0.2
    p: float = 0.8
    before_crop: bool = False
    hue_space: str = "yiq"

    def __post_init__(self) -> None:
        if self.hue_space not in HUE_SPACES:
            raise ValueError(nearest("hue_space", self.hue_space, HUE_SPACES))
        for part in PARTS:
            check_number("Jitter", part, getattr(self, part), 0, 0.5 if part == "hue" else math.inf)
        check_number("Jitter", "p", self.p, 0, 1)
        if not self.parts:
            raise ValueError("Jitter: brightness, contrast, saturation and hue are all 0: leave it out of the view")

    @property
    def parts(self) -> list[str]:
        return [part for part in PARTS if getattr(self, part) > 0]

    @property
    def turns(self) -> bool:
        """Whether the hue is that of HSV, which `split` separates from the other parts."""
        return self.hue > 0 and self.hue_space == "hsv"

    def draw(self, seed, count):
        (on,) = uniform(fold(seed, 0), count, 1)
        units = uniform(fold(seed, 1), count, len(self.parts))
        strengths = {part: self._strength(part, unit) for part, unit in zip(self.parts, units, strict=True)}
        # Sorting independent numbers gives a uniform permutation.
        keys = tf.stack(uniform(fold(seed, 2), count, len(self.parts)), axis=1)
        return dict(on=on < self.p, order=tf.argsort(keys, axis=1), **strengths)

    def _strength(self, part: str, unit: tf.Tensor) -> tf.Tensor:
        amount = getattr(self, part)
        return between(unit, -amount, amount) if part == "hue" else between(unit, max(0.0, 1 - amount), 1 + amount)

    def mix(self, colour, draws):
        mixed = colour
        for step in self._slots(colour.pixel.shape[-1], draws):
            mixed = then(mixed, step)
        return choose(draws["on"], mixed, colour)

    def split(self, colour: Colour, draws: Draws) -> tuple[Colour, tf.Tensor, Colour]:
        """Returns the given map followed by the parts before hue; the hue (n,) in turns; and the parts after hue."""
        place = tf.argmax(draws["order"] == self.parts.index("hue"), axis=1, output_type=tf.int32)
        first, after = colour, identity(tf.shape(place)[0], colour.pixel.shape[-1])
        for slot, step in enumerate(self._slots(colour.pixel.shape[-1], draws)):
            first = choose(draws["on"] & (slot < place), then(first, step), first)
            after = choose(draws["on"] & (slot > place), then(after, step), after)
        return first, tf.where(draws["on"], draws["hue"], 0.0), after

    def _slots(self, channels: int, draws: Draws) -> list[Colour]:
        """Returns the maps of the parts in their drawn order."""
        if self.saturation > 0 or self.hue > 0:
            need_rgb("Jitter with saturation or hue", channels)
        steps = [PARTS[part](draws[part][:, None, None], channels) for part in self.parts]
        pixel, mean = (tf.stack(matrices, axis=1) for matrices in zip(*steps, strict=True))
        places = tf.unstack(draws["order"], axis=1)
        return [Colour(*(tf.gather(matrices, place, batch_dims=1) for matrices in (pixel, mean))) for place in places]

    def strengths(self, draws):
        words = dict(hue="hue, turns")
        return {words.get(part, f"{part} factor"): draws[part] for part in self.parts}


@dataclass(frozen=True)
class Grayscale(Operation):
    """Sets all three channels to the luma (Rec. 601) with probability `p`."""

    stage: ClassVar[int] = 1
    p: float = 0.2

    def __post_init__(self) -> None:
        check_number("Grayscale", "p", self.p, 0, 1)

    def draw(self, seed, count):
        return dict(on=uniform(seed, count, 1)[0] < self.p)

    def mix(self, colour, draws):
        need_rgb("Grayscale", colour.pixel.shape[-1])
        gray = tf.broadcast_to(_gray(3), tf.shape(colour.pixel))
        return choose(draws["on"], then(colour, Colour(gray, tf.zeros_like(gray))), colour)


@dataclass(frozen=True)
class Solarize(Operation):
    """Inverts values of at least `threshold` with probability `p` (BYOL, arXiv:2006.07733, appendix B)."""

    stage: ClassVar[int] = 2
    threshold: float = 0.5
    p: float = 0.2

    def __post_init__(self) -> None:
        check_number("Solarize", "threshold", self.threshold, 0, 1)
        check_number("Solarize", "p", self.p, 0, 1)

    def draw(self, seed, count):
        return dict(on=uniform(seed, count, 1)[0] < self.p)

    def finish(self, pixels, draws):
        return tf.where(draws["on"][:, None, None, None] & (pixels >= self.threshold), 1 - pixels, pixels)


def identity(count: int | tf.Tensor, channels: int) -> Colour:
    """Returns the identity colour map of `count` images."""
    pixel = tf.broadcast_to(tf.eye(channels), (count, channels, channels))
    return Colour(pixel, tf.zeros_like(pixel))


def recolour(pixels: tf.Tensor, mean: tf.Tensor, colour: Colour) -> tf.Tensor:
    """Applies a colour map to pixels (n, height, width, c) with the mean pixel of each image (n, c)."""
    offset = tf.linalg.matvec(colour.mean, mean)[:, None, None]
    # A sum over channels instead of a matrix product: XLA fuses it with its neighbours, in a third of the time.
    terms = (pixels[..., k, None] * colour.pixel[:, None, None, :, k] for k in range(pixels.shape[-1]))
    return sum(terms, offset)


def then(first: Colour, second: Colour) -> Colour:
    """Composes two maps; the mean pixel at the input of `second` is (first.pixel + first.mean) @ m."""
    of_mean = second.pixel @ first.mean + second.mean @ (first.pixel + first.mean)
    return Colour(second.pixel @ first.pixel, of_mean)


def choose(on: tf.Tensor, changed: Colour, unchanged: Colour) -> Colour:
    """Selects `changed` for the images where `on` (n,) is true, else `unchanged`."""
    return Colour(*(tf.where(on[:, None, None], new, old) for new, old in zip(changed, unchanged, strict=True)))


def need_rgb(operation: str, channels: int) -> None:
    """Raises ValueError if there are not 3 channels."""
    if channels != 3:
        raise ValueError(f"{operation} needs 3 channels (RGB), got {channels}: leave it out of the view")


def _gray(channels: int) -> tf.Tensor:
    """Matrix (channels, channels) that sets every channel to gray: the luma of RGB, otherwise the mean."""
    weights = LUMA if channels == 3 else np.full(channels, 1 / channels)
    return tf.constant(np.tile(weights, (channels, 1)), tf.float32)
