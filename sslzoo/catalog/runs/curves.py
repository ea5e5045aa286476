"""Curves as inline SVG: axes with ticks, a line for each run."""

import html
import math
from collections.abc import Sequence

from sslzoo.utils.palette import line_style

WIDTH, HEIGHT = 480, 250
LEFT, RIGHT, TOP, BOTTOM = 58, 10, 12, 36  # margins
POINTS = 400  # of a line, at most
DOTS = 30  # points of a line, up to which each has a dot

Points = Sequence[tuple[float, float]]


def panel(title: str, runs: dict[int, tuple[str, Points]], xlabel: str = "epoch") -> str:
    """Returns a figure with one line for each run.

    Args:
        title: of the figure, with the unit.
        runs: number of a run, which chooses its style -> its name and its points (x, y), all finite.
        xlabel: label of the x axis.
    """
    every = [point for _, points in runs.values() for point in points]
    xs, ys = _ticks([x for x, _ in every]), _ticks([y for _, y in every])
    low, high = (min(ys[0], *(y for _, y in every)), max(ys[-1], *(y for _, y in every)))
    left, right = min(x for x, _ in every), max(x for x, _ in every)

    def place(x: float, y: float) -> tuple[float, float]:
        across = 0.5 if right == left else (x - left) / (right - left)
        up = (y - low) / (high - low)
        return LEFT + across * (WIDTH - LEFT - RIGHT), HEIGHT - BOTTOM - up * (HEIGHT - TOP - BOTTOM)

    grid = [_horizontal(place(left, y)[1], y) for y in ys]
    grid += [_vertical(place(x, low)[0], x) for x in xs if left <= x <= right and x == int(x)]
    lines = [
        _line(number, name, [place(*point) for point in _thinned(points)]) for number, (name, points) in runs.items()
    ]
    label = f'<text x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 4}" text-anchor="middle">{html.escape(xlabel)}</text>'
    drawn = f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{html.escape(title)}">'
    content = "".join([*grid, label, *lines])
    return f"<figure><figcaption>{html.escape(title)}</figcaption>{drawn}{content}</svg></figure>"


def swatch(number: int) -> str:
    """Returns a short line in the style of a run, for a legend."""
    colour, dashes = line_style(number)
    line = f'<line x1="0" y1="5" x2="34" y2="5" stroke="{colour}" stroke-width="2.5" stroke-dasharray="{dashes}"/>'
    return f'<svg class="swatch" width="34" height="10" aria-hidden="true">{line}</svg>'


def _line(number: int, name: str, places: Points) -> str:
    colour, dashes = line_style(number)
    path = " ".join(f"{'L' if step else 'M'}{x:.1f} {y:.1f}" for step, (x, y) in enumerate(places))
    drawn = f'<path d="{path}" fill="none" stroke="{colour}" stroke-width="1.8" stroke-dasharray="{dashes}"/>'
    dots = [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.2" fill="{colour}"/>' for x, y in places]
    shown = "".join(dots) if len(dots) <= DOTS else ""
    return f'<g data-run="{number}"><title>{html.escape(name)}</title>{drawn}{shown}</g>'


def _horizontal(y: float, value: float) -> str:
    rule = f'<line class="rule" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
    return f'{rule}<text x="{LEFT - 5}" y="{y + 4:.1f}" text-anchor="end">{value:g}</text>'


def _vertical(x: float, value: float) -> str:
    rule = f'<line class="rule" x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" y2="{HEIGHT - BOTTOM}"/>'
    return f'{rule}<text x="{x:.1f}" y="{HEIGHT - BOTTOM + 15}" text-anchor="middle">{value:g}</text>'


def _ticks(values: Sequence[float], most: int = 6) -> list[float]:
    """Round numbers that span the values: steps of 1, 2 or 5 times a power of ten."""
    low, high = min(values), max(values)
    span = high - low or abs(high) or 1.0
    power = 10.0 ** math.floor(math.log10(span / most))
    step = next(times * power for times in (1, 2, 5, 10, 20) if span / (times * power) <= most)
    first, last = math.floor(low / step), max(math.ceil(high / step), math.floor(low / step) + 1)
    return [float(f"{number * step:.10g}") for number in range(first, last + 1)]


def _thinned(points: Points) -> Points:
    """At most POINTS of the points, at equal distances, and the last one."""
    step = -(-len(points) // POINTS)
    return points if step == 1 else [*points[:-1:step], points[-1]]
