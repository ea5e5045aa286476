"""One picture in every format that sslzoo reads, with the pixels that each has to give."""

import io
import struct
import zlib
from collections.abc import Iterator

import numpy as np
from PIL import Image, ImageOps

HEIGHT, WIDTH = 11, 13
PASSES = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1))  # of Adam7
CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # of PNG's colour types
DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}


def smooth(mode: str = "RGB") -> Image.Image:
    """A picture without symmetries, which lossy formats keep well."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    colours = [15 * x + 40, 18 * y + 20, 235 - 12 * x, 20 * y + 10]
    pixels = np.stack(colours[: max(3, len(mode))], -1).astype(np.uint8)
    return Image.fromarray(pixels, "RGBA" if mode == "RGBA" else "RGB").convert(mode)


def saved(image: Image.Image, kind: str, **options) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def pillow(data: bytes, gray: bool) -> np.ndarray:
    """Pillow's own reading of a file: upright, over white."""
    image = ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGBA")
    image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    pixels = np.asarray(image.convert("RGB"))
    return pixels[..., :1] if gray else pixels


def png(samples: np.ndarray, colour: int, depth: int, interlaced: bool, extra: bytes = b"") -> bytes:
    """A PNG file of samples (height, width, channels), written from the standard."""
    header = struct.pack(">IIBBBBB", samples.shape[1], samples.shape[0], depth, colour, 0, 0, int(interlaced))
    parts = [samples[r::down, c::right] for r, c, down, right in PASSES] if interlaced else [samples]
    rows = b"".join(b"\0" + _row(row, depth) for part in parts if part.size for row in part)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + extra + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND")


def chunk(name: bytes, content: bytes = b"") -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def _row(row: np.ndarray, depth: int) -> bytes:
    if depth == 16:
        return row.astype(">u2").tobytes()
    if depth == 8:
        return row.astype(np.uint8).tobytes()
    bits = (row.reshape(-1, 1) >> np.arange(depth - 1, -1, -1)) & 1
    return np.packbits(bits.astype(np.uint8)).tobytes()


def pngs() -> Iterator[tuple[str, bytes, np.ndarray]]:
    """Name, file and right pixels: all colour types, depths, transparencies, plain and interlaced."""
    rng = np.random.default_rng(0)
    for colour, depths in DEPTHS.items():
        for depth in depths:
            samples = rng.integers(0, 2**depth, (HEIGHT, WIDTH, CHANNELS[colour]))
            samples[3, 4] = samples[0, 0]  # the transparent colour comes twice
            for clear in (False, True) if colour in (0, 2, 3) else (False,):
                extra, expected = _transparency(rng, samples, colour, depth, clear)
                for interlaced in (False, True):
                    name = f"png-{colour}-{depth}{'-clear' * clear}{'-interlaced' * interlaced}"
                    yield name, png(samples, colour, depth, interlaced, extra), expected


def _transparency(rng, samples: np.ndarray, colour: int, depth: int, clear: bool) -> tuple[bytes, np.ndarray]:
    most = 2**16 - 1 if depth == 16 else 255
    extra, alpha = b"", np.full((HEIGHT, WIDTH, 1), most)
    pixels = samples * (most // (2**depth - 1))
    if colour == 3:
        palette, alphas = rng.integers(0, 256, (2**depth, 3)), rng.integers(0, 256, 2**depth)
        extra, pixels = chunk(b"PLTE", palette.astype(np.uint8).tobytes()), palette[samples[..., 0]]
        alpha = alphas[samples] if clear else alpha
        extra += chunk(b"tRNS", alphas.astype(np.uint8).tobytes()) if clear else b""
    elif clear:
        extra = chunk(b"tRNS", samples[0, 0].astype(">u2").tobytes())
        alpha = np.where((samples == samples[0, 0]).all(-1, keepdims=True), 0, most)
    elif colour in (4, 6):
        pixels, alpha = pixels[..., :-1], pixels[..., -1:]
    return extra, np.rint((pixels * alpha + most * (most - alpha)) / most)


def others() -> Iterator[tuple[str, bytes, bool]]:
    """Name, file and whether it is gray: what Pillow writes of JPEG, BMP, GIF and WebP."""
    rgb, gray, rgba = smooth(), smooth("L"), smooth("RGBA")
    palette, bits = rgb.quantize(64), gray.convert("1")
    for options in (dict(), dict(progressive=True), dict(subsampling=0)):
        tag = "".join(options)
        yield f"jpeg-rgb-{tag}", saved(rgb, "JPEG", quality=98, **options), False
        yield f"jpeg-gray-{tag}", saved(gray, "JPEG", quality=98, **options), True
        yield f"jpeg-cmyk-{tag}", saved(rgb.convert("CMYK"), "JPEG", quality=98, **options), False
    for name, image in dict(rgb=rgb, gray=gray, bits=bits, palette=palette, four=rgb.quantize(12)).items():
        yield f"bmp-{name}", saved(image, "BMP"), name in ("gray", "bits")
        yield f"gif-{name}", saved(image, "GIF"), False
    yield "bmp-alpha", saved(rgba, "BMP"), False
    yield "bmp-4", _bmp4(rgb.quantize(16)), False
    yield "bmp-32-unused", _bmp32(rgb), False
    frames = dict(save_all=True, append_images=[rgb.rotate(180), rgb.rotate(90)], duration=40)
    for name, image in dict(rgb=rgb, rgba=rgba).items():
        yield f"webp-{name}-lossy", saved(image, "WEBP", quality=95), False
        yield f"webp-{name}-lossless", saved(image, "WEBP", lossless=True, exact=True), False
        yield f"webp-{name}-moving", saved(image, "WEBP", lossless=True, **frames), False
    yield "gif-moving", saved(rgb, "GIF", **frames), False
    yield "gif-clear", saved(palette, "GIF", transparency=3), False
    yield "gif-gray-clear", saved(gray, "GIF", transparency=int(np.asarray(gray)[2, 2])), False
    yield "gif-clear-moving", saved(palette, "GIF", transparency=3, **frames), False
    yield "gif-interlaced", saved(palette, "GIF", interlace=1), False


def _bmp4(image: Image.Image) -> bytes:
    rows = np.pad(np.asarray(image)[::-1], ((0, 0), (0, 8 - WIDTH % 8)))
    palette = np.zeros((16, 4), np.uint8)
    colours = np.array(image.getpalette(), np.uint8).reshape(-1, 3)[:16, ::-1]
    palette[: len(colours), :3] = colours
    return _bmp(4, palette.tobytes(), (rows[:, ::2] << 4 | rows[:, 1::2]).astype(np.uint8).tobytes())


def _bmp32(image: Image.Image) -> bytes:
    pixels = np.asarray(image)[::-1, :, ::-1]
    return _bmp(32, b"", np.concatenate([pixels, np.zeros_like(pixels[..., :1])], -1).tobytes())


def _bmp(depth: int, palette: bytes, rows: bytes) -> bytes:
    start = 54 + len(palette)
    info = struct.pack("<IiiHHIIiiII", 40, WIDTH, HEIGHT, 1, depth, 0, len(rows), 2835, 2835, len(palette) // 4, 0)
    return struct.pack("<2sIHHI", b"BM", start + len(rows), 0, 0, start) + info + palette + rows


def turned() -> Iterator[tuple[str, bytes, bool]]:
    """Name, file and whether it is gray: each EXIF orientation, in each format that has them, in both byte orders."""
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[0x112] = orientation
        for kind, mode, options in (
            ("JPEG", "RGB", dict(quality=98)), ("JPEG", "L", dict(quality=98)), ("PNG", "RGB", {}), ("PNG", "L", {}),
            ("WEBP", "RGB", dict(lossless=True)), ("PNG", "RGBA", {}),
        ):  # fmt: skip
            name = f"{kind.lower()}-{mode.lower()}-turned-{orientation}"
            yield name, saved(smooth(mode), kind, exif=exif, **options), mode == "L"
        little = b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0" + bytes([orientation]) + bytes(7)
        yield f"jpeg-little-turned-{orientation}", saved(smooth(), "JPEG", quality=98, exif=little), False
