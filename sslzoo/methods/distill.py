"""Distillation of SimCLR v2: a smaller encoder learns the outputs of a larger one without labels."""

from keras import ops

from sslzoo import losses
from sslzoo.exports.savedmodel import load_teacher
from sslzoo.layers.drop_path import stacked
from sslzoo.layers.heads import linear
from sslzoo.layers.targets import target_of
from sslzoo.model import SSLModel
from sslzoo.utils.replicas import gather


class Distill(SSLModel):
    """(1 - label_weight) temperature^2 CE(teacher, student) + label_weight CE(labels, student), of softened outputs.

    The teacher receives the same views, in inference mode, and does not change. The student is the encoder and a linear
    layer of the width of the teacher's output. The paper's teacher outputs logits of a fine-tuned network; the features
    of an encoder without labels are used as logits.

    Args:
        encoder: functional or sequential model, images (batch, height, width, channels) -> features (batch, features).
        teacher: folder of an exported encoder, or a .keras file such as that of a fine-tuned network with its head; in
            Python also a functional or sequential Keras model, which is copied.
        temperature: float, divides the outputs of both; 0.1 for 1% of the labels and 1 for 10% in the paper.
        label_weight: float in 0..1, weight of the labels; above 0 the teacher's outputs are the classes, and every
            image needs a label.
        input_shape: (height, width, channels) of the views, needed if the encoder accepts any size.
        num_classes: int, number of classes.

    Raises:
        ValueError: if there is no teacher or it takes other images, `temperature` is not above 0, or `label_weight` is
            outside of 0..1 or has no labels.
    """

    paper = "https://arxiv.org/abs/2006.10029"
    use = "a smaller encoder that imitates an exported one"
    batch = 16
    views = "crop_flip"
    kinds = ("image",)

    def __init__(
        self,
        encoder,
        teacher: str | None = None,
        temperature: float = 1.0,
        label_weight: float = 0.0,
        input_shape: tuple | None = None,
        num_classes: int = 0,
        **kwargs,
    ):
        super().__init__(encoder, **kwargs)
        if not teacher:
            raise ValueError("distill needs a teacher: give the folder of an exported encoder")
        # Its architecture is part of the config, so that a saved model does not need the folder.
        self.teacher = target_of(load_teacher(teacher), name="teacher")
        self.temperature = temperature
        self.label_weight = label_weight
        self.input_shape = input_shape
        self.num_classes = num_classes
        outputs = self.teacher.output_shape[-1]
        if label_weight and outputs != num_classes:
            raise ValueError(f"label_weight needs a teacher of {num_classes} classes, this one has {outputs} outputs")
        self._check_images(tuple(input_shape or encoder.input_shape[1:]))
        self.head = linear(encoder.output_shape[-1], outputs, name="head")

    def _check_images(self, shape: tuple) -> None:
        taught = tuple(self.teacher.input_shape[1:])
        if any(None not in sides and sides[0] != sides[1] for sides in zip(taught, shape, strict=True)):
            wanted, given = (" x ".join(str(side or "any") for side in sides) for sides in (taught, shape))
            raise ValueError(f"the teacher takes images of {wanted}, these are {given}: choose image_size or a teacher")

    def call(self, batch):
        images, count = ops.concatenate(batch["views"]), len(batch["views"])
        with stacked(count):
            student = self.embed(images)
        # It comes last, since Keras hands `training` on to whatever comes later.
        teacher = ops.cast(self.teacher(images, training=False), "float32")
        z_a, z_b = ops.split(student, count)[:2]
        outputs = dict(z_a=z_a, z_b=z_b, student=student, teacher=teacher)
        if self.label_weight:
            if "label" not in batch:
                raise ValueError("label_weight needs labels: give one folder a class, or leave it at 0")
            outputs["label"] = ops.tile(batch["label"], (count,))
        return outputs

    def embed(self, inputs):
        return self.head(self.encode(inputs))

    def objective(self, student, teacher, label=None, **embeddings):
        student = gather(student)
        apart = losses.distillation(student, gather(teacher), temperature=self.temperature)
        if label is None:
            return apart
        truth = losses.soft_cross_entropy(student, ops.one_hot(gather(label), self.num_classes))
        return (1 - self.label_weight) * apart + self.label_weight * truth
