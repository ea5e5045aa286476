"""Vision transformer: Dosovitskiy et al. (arXiv 2010.11929) in DeiT's sizes (arXiv 2012.12877), pre-norm blocks."""

import keras
from keras import layers

from sslzoo.catalog.checked import checked
from sslzoo.layers.drop_path import growing
from sslzoo.layers.tokens import GridPool, Pool, Tokens
from sslzoo.layers.transformer import block

POSITIONS = ("sincos", "learned")
POOLS = ("token", "mean", "grid")
CELLS = 4  # rows and columns of pool="grid"


def vit_tiny(input_shape, **knobs) -> keras.Model:
    """ViT-Tiny: 192 features, times `width`, and 3 heads.

    Args:
        input_shape: (height, width, channels).
        **knobs: `patch_size`, `positions`, `pool`, `depth`, `width`, `frozen_patches`, `class_tokens`,
            `registers`, `layer_scale`, `swiglu` and `drop_path` of `vit`.
    """
    return vit(input_shape, 192, 3, name="vit_tiny", **knobs)


def vit_small(input_shape, **knobs) -> keras.Model:
    """ViT-Small: 384 features, times `width`, and 6 heads.

    Args:
        input_shape: (height, width, channels).
        **knobs: `patch_size`, `positions`, `pool`, `depth`, `width`, `frozen_patches`, `class_tokens`,
            `registers`, `layer_scale`, `swiglu` and `drop_path` of `vit`.
    """
    return vit(input_shape, 384, 6, name="vit_small", **knobs)


def vit_base(input_shape, **knobs) -> keras.Model:
    """ViT-Base: 768 features, times `width`, and 12 heads.

    Args:
        input_shape: (height, width, channels).
        **knobs: `patch_size`, `positions`, `pool`, `depth`, `width`, `frozen_patches`, `class_tokens`,
            `registers`, `layer_scale`, `swiglu` and `drop_path` of `vit`.
    """
    return vit(input_shape, 768, 12, name="vit_base", **knobs)


@checked()
def vit(
    input_shape: tuple[int, int, int],
    dim: int,
    heads: int,
    patch_size: int | None = None,
    positions: str = "sincos",
    pool: str = "token",
    depth: int = 12,
    width: float = 1.0,
    frozen_patches: bool = False,
    class_tokens: int = 1,
    registers: int = 0,
    layer_scale: float = 0.0,
    swiglu: bool = False,
    drop_path: float = 0.0,
    name: str = "vit",
) -> keras.Model:
    """Class tokens and one token for each patch pass `depth` pre-norm blocks and a last norm: features (batch, dim).

    Accepts images of any size that is a multiple of the patch. The layer "patches" outputs the map of patch tokens
    (batch, rows, columns, dim), "tokens" adds positions and class tokens, (batch, 1 + rows * columns, dim), and
    "norm" is the end of the trunk. The part between "tokens" and "norm" accepts any subset of the tokens.

    Args:
        input_shape: (height, width, channels). Learned positions are those of this size; they are interpolated for
            others.
        dim: int, width of a token.
        heads: int, heads of the attention.
        patch_size: int, side of a patch in pixels; None is 4 for images up to 64 px, else 16.
        positions: "sincos", fixed, or "learned".
        pool: the features: the class "token", the mean if there are several; the "mean" of the patch tokens; or their
            means in a "grid" of 4 x 4 cells, (batch, 16 * dim), which say where something is.
        depth: int, number of blocks.
        width: float, multiplies the width of a token; the number of heads is unchanged.
        frozen_patches: bool, keeps the patch embedding a random projection, which stabilizes MoCo v3.
        class_tokens: int, number of class tokens; 8 in Pixio.
        registers: int, number of tokens that take part in the attention and that no pooling reads; 4 in DINOv2 with
            registers.
        layer_scale: float, initial factor of each branch of a block, trained; 0 for none, 1e-5 in DINOv2.
        swiglu: bool, gated dense layers instead of GELU, as in the largest DINOv2.
        drop_path: float, rate at which images skip a branch of the last block in training; it grows linearly from 0 in
            the first block. 0.1 in DINO and iBOT, 0.3 in DINOv2.
        name: str, of the model.

    Raises:
        ValueError: if the image size is no multiple of the patch, a name is unknown, or the heads do not divide the
            width.
    """
    patch = patch_size or (4 if max(input_shape[:2]) <= 64 else 16)
    dim = round(dim * width)
    _check(input_shape, patch, dim, heads, positions, pool)
    images = keras.Input((None, None, input_shape[-1]), name="images")
    x = layers.Rescaling(2.0, offset=-1.0, name="normalize")(images)
    x = patches = Patches(dim, patch, frozen_patches, name="patches")(x)
    grid = (input_shape[0] // patch, input_shape[1] // patch) if positions == "learned" else None
    x = Tokens(dim, grid, class_tokens, registers, name="tokens")(x)
    for number, rate in enumerate(growing(drop_path, depth)):
        x = block(x, dim, heads, f"block{number + 1}", layer_scale, swiglu, rate)
    x = layers.LayerNormalization(epsilon=1e-6, name="norm")(x)
    if pool == "grid":
        x = GridPool(CELLS, class_tokens + registers, name="features")(x, patches)
    else:
        x = Pool(pool, class_tokens, registers, name="features")(x)
    return keras.Model(images, x, name=f"{name}_patch{patch}")


def _check(input_shape: tuple, patch: int, dim: int, heads: int, positions: str, pool: str) -> None:
    for knob, value, known in (("positions", positions, POSITIONS), ("pool", pool, POOLS)):
        if value not in known:
            raise ValueError(f"no {knob} {value!r}: choose one of {', '.join(known)}")
    if dim % heads or dim % 4:
        raise ValueError(f"{dim} features do not divide by 4 and by {heads} heads: choose another width")
    _check_size(input_shape[0], input_shape[1], patch)


def _check_size(height: int | None, width: int | None, patch: int) -> None:
    if (height or 0) % patch or (width or 0) % patch:
        raise ValueError(
            f"images of {height} x {width} are no multiple of the patch, {patch} px: choose another image_size or "
            "patch_size"
        )


@keras.saving.register_keras_serializable("sslzoo")
class Patches(layers.Conv2D):
    """One vector for each patch: (batch, height, width, channels) -> (batch, height / patch, width / patch, dim)."""

    def __init__(self, dim: int, patch: int, frozen: bool = False, **kwargs):
        super().__init__(dim, patch, patch, kernel_initializer="lecun_normal", **kwargs)
        self.dim, self.patch, self.frozen = dim, patch, frozen

    def build(self, input_shape):
        super().build(input_shape)
        for weight in self.weights:
            weight.trainable = not self.frozen

    def call(self, images):
        _check_size(*images.shape[1:3], self.patch)
        return super().call(images)

    def get_config(self):
        kept = ("name", "trainable", "dtype")
        config = {key: value for key, value in super().get_config().items() if key in kept}
        return config | {"dim": self.dim, "patch": self.patch, "frozen": self.frozen}
