"""DeepCluster-v2: cluster the whole data once an epoch, and classify crops of an image as its cluster."""

import keras
from keras import ops

from sslzoo import losses
from sslzoo.layers.heads import norm_mlp
from sslzoo.layers.queues import Bank
from sslzoo.model import SSLModel
from sslzoo.utils.replicas import gather


class DeepClusterV2(SSLModel):
    """Spherical k-means over the last embedding of every image, at the first step of each epoch, gives the labels.

    Two banks hold the embeddings of the large crops; the clusterings take them by turns. The centroids are the
    classifier, and no gradient moves them. Images that no clustering has seen yet count for nothing: the first epoch
    does little but fill the banks, which the authors do before the training.

    Args:
        encoder: images (batch, height, width, channels) -> features (batch, features).
        projection_dim: width of the embedding, which training alone uses.
        hidden_dim: width of the projector's hidden layer.
        prototypes: how many clusters there are in a clustering.
        clusterings: how many independent clusterings there are.
        kmeans_iterations: steps of k-means in an epoch.
        temperature: divides the cosine similarities.
        dataset_size: number of images, each of which has a row of the banks.

    Raises:
        ValueError: no clustering, or no dataset_size.
    """

    paper = "https://arxiv.org/abs/2006.09882"
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
        self.projection_dim = projection_dim
        self.hidden_dim = hidden_dim
        self.prototypes = prototypes
        self.clusterings = clusterings
        self.kmeans_iterations = kmeans_iterations
        self.temperature = temperature
        self.dataset_size = dataset_size
        width = encoder.output_shape[-1]
        self.projector = norm_mlp(width, hidden_dim, projection_dim, last_norm=False, last_bias=True, name="projector")
        self.bank_a, self.bank_b = (Bank(dataset_size, projection_dim, name=f"bank_{view}") for view in "ab")
        state = dict(trainable=False, aggregation="only_first_replica", autocast=False)
        normal, unknown = keras.initializers.RandomNormal(), keras.initializers.Constant(-1)
        self.seen = self.add_weight((dataset_size,), "zeros", "float32", name="seen", **state)
        self.centroids = self.add_weight((clusterings, prototypes, projection_dim), normal, name="centroids", **state)
        self.labels = self.add_weight((clusterings, dataset_size), unknown, "int32", name="labels", **state)

    def call(self, batch):
        z = ops.stack(self.together(self.together(batch["views"], self.encoder), self.projector), axis=1)
        index = ops.cast(batch["index"], "int32")
        rows, where = ops.stop_gradient(ops.normalize(gather(z[:, :2]))), gather(index)[:, None]
        seen = ops.scatter_update(self.seen, where, ops.ones_like(rows[:, 0, 0]))
        step, epoch = self._step(ops.shape(rows)[0])

        def cluster():
            first = ops.scatter_update(self.bank_a.rows, where, rows[:, 0])
            second = ops.scatter_update(self.bank_b.rows, where, rows[:, 1])
            return self._cluster([first, second], seen, epoch)

        def keep():
            return ops.convert_to_tensor(self.centroids), ops.convert_to_tensor(self.labels)

        centroids, labels = ops.cond(step == 0, cluster, keep)
        return dict(z_a=z[:, 0], z_b=z[:, 1], z=z, index=index, seen=seen, centroids=centroids, labels=labels)

    def objective(self, z, index, centroids, labels, **outputs):
        z, labels = ops.normalize(gather(z)), ops.take(labels, gather(index), axis=1)
        scores = ops.einsum("nvd,ckd->cnvk", z, centroids)
        parts = [losses.cluster_cross_entropy(scores[c], labels[c], self.temperature) for c in range(self.clusterings)]
        return sum(parts) / self.clusterings

    def after_step(self, z, index, seen, centroids, labels, **outputs):
        rows, index = ops.normalize(gather(z[:, :2])), gather(index)
        self.bank_a.write(index, rows[:, 0])
        self.bank_b.write(index, rows[:, 1])
        self.seen.assign(seen)
        self.centroids.assign(centroids)
        self.labels.assign(labels)

    def _step(self, count):
        """The step of the epoch, 0 the first, and the epoch; of a pass over the data where its length is not given."""
        done = ops.cast(self.optimizer.iterations if self.optimizer else 0, "int32")
        steps = self.steps_per_epoch or ops.maximum(self.dataset_size // count, 1)
        return done % steps, done // steps

    def _cluster(self, banks: list, seen, epoch):
        """Centroids of every clustering, and the cluster of every image: -1 of those not seen."""
        found, labels = [], []
        for clustering in range(self.clusterings):
            # The seen ones in random order, others after them; an epoch starts where the one before ended.
            order = ops.argsort(keras.random.uniform((self.dataset_size,), seed=clustering) - seen)
            start = ops.arange(self.prototypes, dtype="int32") + epoch * self.prototypes
            first = ops.take(order, start % ops.maximum(ops.cast(ops.sum(seen), "int32"), 1))
            bank = banks[clustering % 2]
            found.append(losses.spherical_kmeans(bank, ops.take(bank, first, axis=0), self.kmeans_iterations, seen))
            labels.append(ops.where(seen > 0, losses.nearest(bank, found[-1]), -1))
        return ops.stack(found), ops.stack(labels)
