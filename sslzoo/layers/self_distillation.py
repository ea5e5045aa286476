"""Student and teacher of iBOT and DINOv2: outputs for crops and for patches of vision transformers."""

import keras
from keras import ops

from sslzoo import losses
from sslzoo.layers.heads import Prototypes, gelu_mlp
from sslzoo.layers.targets import Target, ema_update
from sslzoo.layers.transformer import parts, reader, through, token_width
from sslzoo.utils.replicas import gather, own


class SelfDistillation(keras.layers.Layer):
    """A student that receives masked large crops, its head, and the EMA teacher of both, which receives whole ones.

    Crops and patches share the head: two hidden layers, an embedding, and weight-normalized prototypes.

    Args:
        encoder: functional vision transformer. It is not tracked: it belongs to the method.
        hidden_dim, projection_dim, prototypes: int, widths of the head.
        gram: bool, keeps an earlier teacher for DINOv3's Gram loss.
    """

    def __init__(
        self, encoder: keras.Model, hidden_dim: int, projection_dim: int, prototypes: int, gram: bool = False, **kwargs
    ):
        super().__init__(**{"name": "networks"} | kwargs)
        student, width = parts(encoder), token_width(encoder)
        self.patch = encoder.get_layer("patches").patch
        self.mask_token = self.add_weight((width,), initializer="zeros", name="mask_token")
        self.head = gelu_mlp(width, hidden_dim, projection_dim, name="head")
        self.last_layer = Prototypes(projection_dim, prototypes, weight_norm=True, name="last_layer")
        self.teacher = Target(encoder, self.head, self.last_layer, name="teacher")
        reading = reader(encoder)
        pool = reading.get_layer("features")
        # Keras does not look into functions for layers to track.
        self._student = lambda: (student, pool)
        self.read = lambda images: reading(images)
        self.teacher_parts = parts(self.teacher.copies[0])
        if gram:
            self.gram_teacher = Target(encoder, name="gram_teacher")
            self.gram_parts = parts(self.gram_teacher.copies[0])
        self.gram = gram
        self.built = True

    def grid(self, views) -> tuple[int, int]:
        """Rows and columns of patches of a large crop."""
        return tuple(side // self.patch for side in views[0].shape[1:3])

    def call(self, large, small, masked, frozen=False):
        """Outputs of student and teacher.

        Args:
            large: two large crops, each (n, height, width, channels).
            small: the student's features of further crops, each (n, dim).
            masked: bool (n, 2, rows, columns), true where a patch of a large crop is masked.
            frozen: bool scalar, stops the gradient of the prototypes.

        Returns:
            Dict of logits, float32, `student` (n, crops, K), `teacher` (n, 2, K), `student_patches` and
            `teacher_patches` (n, 2, patches, K); the student's `features` of large crops (n, 2, dim); `mask`
            (n, 2, patches); and, with `gram`, the Gram loss of each image (n,).
        """
        (student, pool), pairs = self._student(), ops.stack(large, axis=1)
        images = ops.reshape(pairs, (-1, *pairs.shape[2:]))  # the two large crops of an image one after the other
        flat = ops.reshape(masked, (-1, *masked.shape[2:]))
        count = masked.shape[2] * masked.shape[3]
        seen, whole = through(student, images, flat, self.mask_token), through(self.teacher_parts, images)
        features, tokens, targets = (_paired(x) for x in (pool(seen), seen[:, -count:], whole[:, -count:]))
        crops = ops.concatenate([features, *(one[:, None] for one in small)], axis=1)
        teach = self.teacher.copies[1:]
        outputs = dict(
            student=self._logits(crops, frozen),
            teacher=ops.stop_gradient(along(teach, _paired(pool(whole)))),
            student_patches=self._logits(tokens, frozen),
            teacher_patches=ops.stop_gradient(along(teach, targets)),
            features=features,
            mask=ops.reshape(masked, (-1, 2, count)),
        )
        if self.gram:
            apart = losses.gram(seen[:, -count:], through(self.gram_parts, images)[:, -count:])
            outputs["gram"] = ops.mean(_paired(apart), axis=1)
        return outputs

    def keep_teacher(self, still) -> None:
        """After a step: replaces the earlier teacher by the present one, if there is one.

        Args:
            still: bool scalar, false to keep it.
        """
        if self.gram:
            ema_update(self.gram_teacher.copies[0], self.teacher.copies[0], ops.cast(still, "float32"))

    def _logits(self, features, frozen):
        return self.last_layer(along([self.head], features), frozen=frozen)


def along(networks, x):
    """Networks of vectors, one after the other, along the last axis: x (..., dim) -> (..., output dim)."""
    rows = ops.reshape(x, (-1, x.shape[-1]))
    for network in networks:
        rows = network(rows)
    return ops.reshape(rows, (-1, *x.shape[1:-1], rows.shape[-1]))


def _paired(x):
    return ops.reshape(x, (-1, 2, *x.shape[1:]))


def teacher_codes(logits, temperature, centre=None, weights=None):
    """The teacher's probabilities: centred, or balanced over the global batch by Sinkhorn-Knopp.

    Args:
        logits: (n, ..., K).
        temperature: float or scalar, divides the logits.
        centre: (K,), subtracted from them; None to balance them instead.
        weights: bool (n, ...), which of them Sinkhorn-Knopp balances; all if None.

    Returns:
        float32 (n, ..., K), of sum 1.
    """
    if centre is not None:
        return ops.softmax((logits - centre) / temperature)
    every, prototypes = gather(logits), logits.shape[-1]
    weights = None if weights is None else ops.reshape(gather(ops.cast(weights, "float32")), (-1,))
    codes = losses.sinkhorn(ops.reshape(every, (-1, prototypes)), epsilon=temperature, weights=weights)
    return own(ops.reshape(codes, (-1, *logits.shape[1:])), ops.shape(logits)[0])


def warmed(start: float, end: float, share: float, progress):
    """A value that rises linearly from `start` to `end` within a share of the training."""
    return start + (end - start) * ops.minimum(progress / max(share, 1e-9), 1.0)


def move_centre(centre: keras.Variable, logits, rate: float, weights=None) -> None:
    """Moves a centre towards the mean of the teacher's logits over the global batch.

    Args:
        centre: weight (K,).
        logits: (n, ..., K).
        rate: float, share moved.
        weights: bool (n, ...), which logits the mean is over; all if None. Without any the centre does not move.
    """
    weights = ops.ones_like(logits[..., 0]) if weights is None else ops.cast(weights, logits.dtype)
    axes = tuple(range(len(weights.shape)))
    total = ops.sum(gather(ops.sum(weights[..., None] * logits, axis=axes)[None]), axis=0)
    count = ops.sum(gather(ops.sum(weights)[None]))
    mean = ops.where(count > 0, total / ops.maximum(count, 1), centre)
    centre.assign(centre + rate * (mean - centre))
