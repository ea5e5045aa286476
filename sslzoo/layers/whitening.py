"""IterNorm: whitening of groups of features by Newton's iterations."""

import keras
from keras import layers, ops

from sslzoo.utils.replicas import gather


@keras.saving.register_keras_serializable("sslzoo")
class IterNorm(layers.Layer):
    """Iterative normalization (Huang et al., arXiv 1904.03441), VIbCReg's last layer: (batch, dim) -> same, float32.

    Neighbouring features form groups. Each group is centred and multiplied by an approximation of the inverse root of
    its covariance, then scaled and shifted by weights. Statistics are those of the global batch, in inference too: the
    layer belongs to a projector, which only training uses.

    Args:
        dim: int, number of features.
        groups: int, divides `dim`; 64 in VIbCReg.
        iterations: int, Newton's iterations.
        epsilon: float, added to the variances.

    Raises:
        ValueError: if `groups` does not divide `dim`.
    """

    def __init__(self, dim: int, groups: int = 64, iterations: int = 5, epsilon: float = 1e-5, **kwargs):
        kwargs.setdefault("dtype", "float32")
        super().__init__(**kwargs)
        if groups < 1 or dim % groups:
            raise ValueError(f"{groups} groups do not divide {dim} features: choose whitening_groups")
        self.dim, self.groups, self.iterations, self.epsilon = dim, groups, iterations, epsilon
        self.scale = self.add_weight((dim,), initializer="ones", name="scale")
        self.offset = self.add_weight((dim,), initializer="zeros", name="offset")
        self.built = True

    def call(self, z):
        z = ops.cast(z, "float32")
        mean, matrix = self._statistics(self._grouped(gather(z)))
        white = ops.matmul(self._grouped(z) - mean, matrix)
        return ops.reshape(ops.transpose(white, (1, 0, 2)), (-1, self.dim)) * self.scale + self.offset

    def _grouped(self, z):
        return ops.transpose(ops.reshape(z, (-1, self.groups, self.dim // self.groups)), (1, 0, 2))

    def _statistics(self, rows):
        """Means (groups, 1, size) and whitening matrices (groups, size, size) of rows (groups, N, size)."""
        count, identity = ops.cast(ops.shape(rows)[1], "float32"), ops.eye(rows.shape[-1])
        mean = ops.mean(rows, axis=1, keepdims=True)
        centred = rows - mean
        covariance = ops.matmul(ops.swapaxes(centred, 1, 2), centred) / count + self.epsilon * identity
        trace = ops.trace(covariance, axis1=1, axis2=2)[:, None, None]
        root = identity
        for _ in range(self.iterations):
            root = 1.5 * root - 0.5 * ops.matmul(ops.matmul(ops.matmul(root, root), root), covariance / trace)
        return mean, root / ops.sqrt(trace)

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return super().get_config() | {name: getattr(self, name) for name in ("dim", "groups", "iterations", "epsilon")}
