"""DINO: match what a slowly following teacher, who sees only large crops, makes of the same image."""

import keras
from keras import ops

from sslzoo import losses
from sslzoo.layers.heads import Prototypes, gelu_mlp
from sslzoo.layers.targets import Target, cosine_to_zero
from sslzoo.model import SSLModel
from sslzoo.utils.replicas import gather


class DINO(SSLModel):
    """Minimizes the cross-entropy of the student's every crop with the teacher's probabilities for the other large one.

    Centring keeps the teacher's probabilities from one prototype, its low temperature from all of them alike.

    Args:
        encoder: images (batch, height, width, channels) -> features (batch, features); small crops are smaller images
            where the encoder takes them.
        projection_dim: width of the embedding, before the prototypes.
        hidden_dim: width of the two hidden layers of the head.
        prototypes: width of the last layer, whose softmax is matched.
        temperature: of the student.
        teacher_temperature: of the teacher at the start.
        teacher_temperature_end: of the teacher once it is warm.
        teacher_warmup: the share of the training in which it rises from one to the other.
        centre_rate: the fraction that the centre moves to the mean of the teacher's logits in a step.
        ema_rate: the fraction that the teacher moves in a step at the start; falls to 0 along a cosine.
        head_norm: BatchNorm in the head; None is where the encoder has it, as in the paper.
        freeze_epochs: so many epochs at the start leave the last layer alone.

    Raises:
        ValueError: a temperature that is not above 0.
    """

    paper = "https://arxiv.org/abs/2104.14294"
    views = "dino"

    def __init__(
        self,
        encoder,
        projection_dim: int = 256,
        hidden_dim: int = 2048,
        prototypes: int = 65536,
        temperature: float = 0.1,
        teacher_temperature: float = 0.04,
        teacher_temperature_end: float = 0.07,
        teacher_warmup: float = 0.3,
        centre_rate: float = 0.1,
        ema_rate: float = 0.004,
        head_norm: bool | None = None,
        freeze_epochs: int = 1,
        **kwargs,
    ):
        super().__init__(encoder, **kwargs)
        if min(temperature, teacher_temperature, teacher_temperature_end) <= 0:
            raise ValueError("temperature, teacher_temperature and teacher_temperature_end must be above 0")
        self.projection_dim = projection_dim
        self.hidden_dim = hidden_dim
        self.prototypes = prototypes
        self.temperature = temperature
        self.teacher_temperature = teacher_temperature
        self.teacher_temperature_end = teacher_temperature_end
        self.teacher_warmup = teacher_warmup
        self.centre_rate = centre_rate
        self.ema_rate = ema_rate
        self.head_norm = head_norm
        self.freeze_epochs = freeze_epochs
        norm = any(isinstance(layer, keras.layers.BatchNormalization) for layer in encoder._flatten_layers())
        norm = norm if head_norm is None else head_norm
        self.head = gelu_mlp(encoder.output_shape[-1], hidden_dim, projection_dim, norm, name="head")
        self.last_layer = Prototypes(projection_dim, prototypes, weight_norm=True, name="last_layer")
        self.teacher = Target(encoder, self.head, self.last_layer, name="teacher")
        state = dict(initializer="zeros", dtype="float32", trainable=False, aggregation="only_first_replica")
        self.centre = self.add_weight((prototypes,), name="centre", autocast=False, **state)

    def call(self, batch):
        views, steps = batch["views"], self.freeze_epochs * self.steps_per_epoch
        frozen = self.optimizer.iterations < steps if steps else False
        z = self.together(self.together(views, self.encoder), self.head)
        teacher = ops.stack(self.together(views[:2], self.teacher), axis=1)
        return dict(z_a=z[0], z_b=z[1], student=self.last_layer(ops.stack(z, axis=1), frozen=frozen), teacher=teacher)

    def objective(self, z_a, student, teacher, **embeddings):
        start, end = self.teacher_temperature, self.teacher_temperature_end
        warm = ops.minimum(self.progress / max(self.teacher_warmup, 1e-9), 1.0)
        loss = losses.dino(student, teacher, self.centre, self.temperature, start + (end - start) * warm)
        # A mean over images: to gather losses instead of logits saves gigabytes.
        return ops.mean(gather(ops.broadcast_to(loss, ops.shape(z_a)[:1])))

    def after_step(self, teacher, **outputs):
        mean = ops.mean(gather(ops.mean(teacher, axis=(0, 1))[None]), axis=0)
        self.centre.assign(self.centre + self.centre_rate * (mean - self.centre))
        self.teacher.follow(cosine_to_zero(self.ema_rate, self.progress))
