"""W-MSE: the views of an image agree after whitening, which prevents collapsed embeddings."""

from itertools import combinations

from keras import ops

from sslzoo.layers.heads import norm_mlp
from sslzoo.losses import w_mse
from sslzoo.model import SSLModel
from sslzoo.utils.replicas import gather


class WMSE(SSLModel):
    """Minimizes the squared distance between embeddings that are whitened in sub-batches, over all pairs of views.

    No gradient is stopped. At each step the images are permuted before they are divided into sub-batches. The encoder
    receives the views one by one, the projector all together.

    Args:
        encoder: functional or sequential model, images (batch, height, width, channels) -> features (batch, features).
        projection_dim: int, width of the embedding, which only training uses.
        hidden_dim: int, width of the projector's hidden layer.
        whitening_size: int, images that are whitened together; divides the batch, best at least twice projection_dim.
        whitening_rounds: int, permutations at each step, over which the loss is averaged.
        normalize: bool, compares directions of whitened embeddings instead of numbers.
        shrinkage: float in 0..1, weight of the identity blended into the covariance; 0 in the paper.

    Raises:
        ValueError: if sub-batches are too small for the width of the embedding or do not divide the batch.
    """

    paper = "https://arxiv.org/abs/2007.06346"
    use = "embeddings much narrower than the batch: whitening needs batches of twice the width"
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
        features = [self.encode(view) for view in batch["views"]]
        z = self.together(features, self.projector)
        return dict(z_a=z[0], z_b=z[1], z=ops.stack(z, axis=1))

    def objective(self, z, **embeddings):
        z = gather(z)
        return sum(self._distance(z, k) for k in range(self.whitening_rounds)) / self.whitening_rounds

    def _distance(self, z, k: int):
        """The mean over all pairs of views, with the images (n, views, dim) in the k-th permutation of this step."""
        draws = self.uniform((ops.shape(z)[0],), k, everywhere=True)
        # The images not as first axis, along which the gradient would be sparse: gather takes dense ones alone.
        z = ops.unstack(ops.take(ops.swapaxes(z, 0, 1), ops.argsort(draws), axis=1))
        pairs = list(combinations(z, 2))
        names = ("whitening_size", "normalize", "shrinkage")
        settings = {name: getattr(self, name) for name in names}
        return sum(w_mse(z_a, z_b, **settings) for z_a, z_b in pairs) / len(pairs)
