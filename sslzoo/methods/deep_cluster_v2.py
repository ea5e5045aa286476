"""DeepCluster-v2: cluster all embeddings once an epoch, and classify crops of an image as its cluster."""

import keras
from keras import ops

from sslzoo import losses
from sslzoo.layers.heads import norm_mlp
from sslzoo.layers.memory import Bank
from sslzoo.model import SSLModel
from sslzoo.utils.replicas import gather, uniform


class DeepClusterV2(SSLModel):
    """Classifies crops by labels of spherical k-means over the last embedding of every image, computed once an epoch.

    Two banks hold the embeddings of the large crops; the clusterings use them in turn. A pass over the data fills them
    before the first step. The centroids are the classifier, without gradients. Images without a label do not count.

    Args:
        encoder: functional or sequential model, images (batch, height, width, channels) -> features (batch, features).
        projection_dim: int, width of the embedding, which only training uses.
        hidden_dim: int, width of the projector's hidden layer.
        prototypes: int, clusters of each clustering.
        clusterings: int, independent clusterings.
        kmeans_iterations: int, steps of k-means in an epoch.
        temperature: float, divides the cosine similarities.
        dataset_size: int, number of examples in the data; each has a row in each bank.

    Raises:
        ValueError: if `clusterings` or `dataset_size` is less than 1.
    """

    paper = "https://arxiv.org/abs/2006.09882"
    use = "data with clear groups; keeps an embedding of every image in memory"
    batch = 64
    views = "multi_crop"

    def __init__(
        self,
        encoder,
        projection_dim: int = 128,
        hidden_dim: int = 2048,
        prototypes: int = 3000,
        clusterings: int = 3,
        kmeans_iterations: int = 10,
        temperature: float = 0.1,
        dataset_size: int = 0,
        **kwargs,
    ):
        super().__init__(encoder, **kwargs)
        if clusterings < 1 or dataset_size < 1:
            raise ValueError("clusterings and dataset_size must be 1 or more: the banks have a row for each image")
        self.projection_dim, self.hidden_dim = projection_dim, hidden_dim
        self.prototypes = prototypes
        self.clusterings = clusterings
        self.kmeans_iterations = kmeans_iterations
        self.temperature = temperature
        self.dataset_size = dataset_size
        width = encoder.output_shape[-1]
        self.projector = norm_mlp(width, hidden_dim, projection_dim, last_norm=False, last_bias=True, name="projector")
        self.bank_a, self.bank_b = (Bank(dataset_size, projection_dim, name=f"bank_{view}") for view in "ab")
        normal, unknown = keras.initializers.RandomNormal(), keras.initializers.Constant(-1)
        self.seen = self.add_state("seen", (dataset_size,))
        self.centroids = self.add_state("centroids", (clusterings, prototypes, projection_dim), normal)
        self.labels = self.add_state("labels", (clusterings, dataset_size), unknown, dtype="int32")

    def prepare(self, batch):
        z = [self.projector(self.encoder(view, training=True), training=True) for view in batch["views"][:2]]
        self._remember(ops.stack(z, axis=1), ops.cast(batch["index"], "int32"))

    def call(self, batch):
        z = ops.stack(self.together(self.together(batch["views"], self.encode), self.projector), axis=1)
        index = ops.cast(batch["index"], "int32")
        rows, where = ops.stop_gradient(losses.unit(gather(z[:, :2]))), gather(index)[:, None]
        seen = ops.scatter_update(self.seen, where, ops.ones_like(rows[:, 0, 0]))
        step, epoch = self._step(ops.shape(rows)[0])

        def cluster():
            pairs = enumerate((self.bank_a, self.bank_b))
            return self._cluster([ops.scatter_update(b.rows, where, rows[:, view]) for view, b in pairs], seen, epoch)

        kept = ops.convert_to_tensor(self.centroids), ops.convert_to_tensor(self.labels)
        centroids, labels = ops.cond(step == 0, cluster, lambda: kept)
        return dict(z_a=z[:, 0], z_b=z[:, 1], z=z, index=index, centroids=centroids, labels=labels)

    def objective(self, z, index, centroids, labels, **outputs):
        z, labels = losses.unit(gather(z)), ops.take(labels, gather(index), axis=1)
        scores = ops.einsum("nvd,ckd->cnvk", z, centroids)
        options = dict(temperature=self.temperature)
        parts = [losses.cluster_cross_entropy(scores[c], labels[c], **options) for c in range(self.clusterings)]
        return sum(parts) / self.clusterings

    def after_step(self, z, index, centroids, labels, **outputs):
        self._remember(z, index)
        self.centroids.assign(centroids)
        self.labels.assign(labels)

    def _remember(self, z, index):
        rows, index = losses.unit(gather(z[:, :2])), gather(index)
        self.bank_a.write(index, rows[:, 0])
        self.bank_b.write(index, rows[:, 1])
        self.seen.assign(ops.scatter_update(self.seen, index[:, None], ops.ones_like(rows[:, 0, 0])))

    def _step(self, count):
        """Step within the epoch, and epoch, both from 0. An epoch of unknown length is a pass over the data."""
        steps = self.steps_per_epoch or ops.maximum(self.dataset_size // count, 1)
        return self.step % steps, self.step // steps

    def _cluster(self, banks: list, seen, epoch):
        """Centroids of every clustering, and the cluster of every image, -1 for images that were not in a batch yet."""
        found, labels, options = [], [], dict(iterations=self.kmeans_iterations, weights=seen)
        for clustering in range(self.clusterings):
            # The seen ones in random order, others after them; an epoch starts where the one before ended.
            order = ops.argsort(uniform((self.dataset_size,), (clustering, 0), everywhere=True) - seen)
            start = ops.arange(self.prototypes, dtype="int32") + epoch * self.prototypes
            first = ops.take(order, start % ops.maximum(ops.cast(ops.sum(seen), "int32"), 1))
            bank = banks[clustering % 2]
            found.append(losses.spherical_kmeans(bank, ops.take(bank, first, axis=0), **options))
            labels.append(ops.where(seen > 0, losses.nearest_centroid(bank, found[-1]), -1))
        return ops.stack(found), ops.stack(labels)
