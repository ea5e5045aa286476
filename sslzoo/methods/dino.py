"""DINO: match the output distribution of an EMA teacher that receives only large crops of the same image."""

from keras import ops

from sslzoo import losses
from sslzoo.layers.heads import Prototypes, gelu_mlp
from sslzoo.layers.targets import Target, cosine_to_zero
from sslzoo.model import SSLModel
from sslzoo.utils.keras_internals import norms
from sslzoo.utils.replicas import gather


class DINO(SSLModel):
    """Minimizes the cross-entropy of the student's output for each crop with the teacher's for the other large crops.

    Centring prevents the collapse to one prototype, the teacher's low temperature the collapse to a uniform output. The
    paper's student drops paths at a rate of 0.1 (`drop_path=0.1`, a knob of the vision transformer, 0 by default:
    trainings of a few epochs on small images need no such regularization).

    Args:
        encoder: functional or sequential model, images (batch, height, width, channels) -> features (batch, features).
        projection_dim: int, width of the embedding before the prototypes.
        hidden_dim: int, width of the two hidden layers of the head.
        prototypes: int, width of the output, to which a softmax is applied.
        temperature: float, temperature of the student.
        teacher_temperature: float, temperature of the teacher at the start.
        teacher_temperature_end: float, temperature of the teacher after its warm-up.
        teacher_warmup: float, share of the training in which it rises linearly from one to the other.
        centre_rate: float, share that the centre moves to the mean of the teacher's logits in a step.
        ema_rate: float, share that the teacher moves towards the student in a step at the start; decays to 0 along a
            cosine.
        head_norm: bool, BatchNorm in the head; None uses it if the encoder does, as in the paper.
        freeze_epochs: int, epochs at the start in which the last layer does not change.

    Raises:
        ValueError: if a temperature is not above 0.
    """

    paper = "https://arxiv.org/abs/2104.14294"
    use = "vision transformers; k-NN and attention maps without labels; multi-crop costs time"
    batch = 64
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
        norm = bool(norms(encoder)) if head_norm is None else head_norm
        self.head = gelu_mlp(encoder.output_shape[-1], hidden_dim, projection_dim, norm, name="head")
        self.last_layer = Prototypes(projection_dim, prototypes, weight_norm=True, name="last_layer")
        self.teacher = Target(encoder, self.head, self.last_layer, name="teacher")
        self.centre = self.add_state("centre", (prototypes,))

    def call(self, batch):
        views, steps = batch["views"], self.freeze_epochs * self.steps_per_epoch
        frozen = self.step < steps if steps else False
        z = self.together(self.together(views, self.encode), self.head)
        teacher = ops.stack(self.together(views[:2], self.teacher), axis=1)
        return dict(z_a=z[0], z_b=z[1], student=self.last_layer(ops.stack(z, axis=1), frozen=frozen), teacher=teacher)

    def embed(self, inputs):
        return self.head(self.encode(inputs))

    def exported(self):
        return self.teacher.copies[0]

    def objective(self, z_a, student, teacher, **embeddings):
        start, end = self.teacher_temperature, self.teacher_temperature_end
        warm = ops.minimum(self.progress / max(self.teacher_warmup, 1e-9), 1.0)
        temperatures = dict(student_temperature=self.temperature, teacher_temperature=start + (end - start) * warm)
        loss = losses.dino(student, teacher, self.centre, **temperatures)
        # A mean over images: to gather losses instead of logits saves gigabytes.
        return ops.mean(gather(ops.broadcast_to(loss, ops.shape(z_a)[:1])))

    def after_step(self, teacher, **outputs):
        mean = ops.mean(gather(ops.mean(teacher, axis=(0, 1))[None]), axis=0)
        self.centre.assign(self.centre + self.centre_rate * (mean - self.centre))
        self.teacher.update(cosine_to_zero(self.ema_rate, self.progress_before))
