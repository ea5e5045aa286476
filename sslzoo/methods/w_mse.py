"""W-MSE: the views of an image agree after whitening, which no collapsed embedding survives."""

from itertools import combinations

import tensorflow as tf
from keras import ops

from sslzoo.layers.heads import norm_mlp
from sslzoo.losses import w_mse
from sslzoo.model import SSLModel
from sslzoo.utils.replicas import gather


class WMSE(SSLModel):
    """Minimizes the squared distance between embeddings that are whitened in sub-batches, over all pairs of views.

    No gradient is stopped. The images are permuted anew at each step before they are cut into sub-batches, by a
    function of the step alone. The encoder sees the views one by one, the projector sees them together.

    Args:
        encoder: images (batch, height, width, channels) -> features (batch, features).
        projection_dim: width of the embedding, which training alone uses.
        hidden_dim: width of the projector's hidden layer.
        whitening_size: images that are whitened together; divides the batch, at least twice projection_dim is best.
        whitening_rounds: permutations at each step, over which the loss is a mean.
        normalize: compare directions of whitened embeddings, not the numbers.
        shrinkage: blends the covariance with the identity, 0..1; 0 in the paper.

    Raises:
        ValueError: sub-batches too small for an embedding so wide, or that do not divide the batch.
    """

    paper = "https://arxiv.org/abs/2007.06346"
    views = "w_mse"

    def __init__(
        self,
        encoder,
        projection_dim: int = 64,
        hidden_dim: int = 1024,
        whitening_size: int = 128,
        whitening_rounds: int = 1,
        normalize: bool = True,
        shrinkage: float = 0.0,
        **kwargs,
    ):
        super().__init__(encoder, **kwargs)
        if whitening_size <= projection_dim:
            raise ValueError(
                f"whitening_size {whitening_size} must be above projection_dim {projection_dim}, better twice it: else "
                "the covariance is singular"
            )
        self.projection_dim = projection_dim
        self.hidden_dim = hidden_dim
        self.whitening_size = whitening_size
        self.whitening_rounds = whitening_rounds
        self.normalize = normalize
        self.shrinkage = shrinkage
        widths = encoder.output_shape[-1], hidden_dim, projection_dim
        self.projector = norm_mlp(*widths, last_norm=False, name="projector")

    def call(self, batch):
        features = [self.encoder(view) for view in batch["views"]]
        z = self.together(features, self.projector)
        return dict(z_a=z[0], z_b=z[1], z=ops.stack(z, axis=1))

    def objective(self, z, **embeddings):
        z = gather(z)
        return sum(self._distance(z, k) for k in range(self.whitening_rounds)) / self.whitening_rounds

    def _distance(self, z, k: int):
        """The mean over all pairs of views, with the images (n, views, dim) in the k-th order of this step."""
        step = ops.cast(self.optimizer.iterations if self.compiled else 0, "int32")
        draws = tf.random.stateless_uniform((ops.shape(z)[0],), seed=ops.stack([step, k]), alg="philox")
        # The images not as first axis, along which the gradient would be sparse: gather takes dense ones alone.
        z = ops.unstack(ops.take(ops.swapaxes(z, 0, 1), ops.argsort(draws), axis=1))
        pairs = list(combinations(z, 2))
        settings = self.whitening_size, self.normalize, self.shrinkage
        return sum(w_mse(z_a, z_b, *settings) for z_a, z_b in pairs) / len(pairs)
