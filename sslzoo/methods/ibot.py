"""iBOT and iBOT++: DINO with masked large crops, whose patch tokens predict the teacher's; vision transformers only."""

from keras import ops

from sslzoo import losses
from sslzoo.layers import masking
from sslzoo.layers.self_distillation import SelfDistillation, move_centre, teacher_codes, warmed
from sslzoo.layers.targets import cosine_to_zero
from sslzoo.model import SSLModel
from sslzoo.utils.replicas import gather


class IBOT(SSLModel):
    """DINO's loss between crops, plus the cross-entropy of masked patches with the teacher's output at their places.

    The student receives large crops with blocks of patches masked, half of them unmasked, and small crops as they are;
    the teacher receives whole large crops. Both losses share the head. The patch loss is averaged over the masked
    patches of a crop and then over all crops, of which those without mask count as 0. iBOT++ of TIPSv2 (arXiv
    2604.12012) adds the cross-entropy of visible patches. The paper's student drops paths at a rate of 0.1
    (`drop_path=0.1`, a knob of the encoder, 0 by default as fits short trainings).

    Args:
        encoder: functional vision transformer, images (batch, height, width, channels) -> features (batch, features).
        projection_dim: int, width of the embedding before the prototypes.
        hidden_dim: int, width of the two hidden layers of the head.
        prototypes: int, width of the output, to which a softmax is applied.
        temperature: float, temperature of the student.
        teacher_temperature: float, temperature of the teacher at the start.
        teacher_temperature_end: float, temperature of the teacher after its warm-up.
        teacher_warmup: float, share of the training in which it rises linearly: 30 of 800 epochs in the paper.
        centre_rate: float, share that the centres move to the means of the teacher's logits in a step.
        mask_share: float in 0..1, probability that a large crop is masked.
        mask_min_ratio: float in 0..1, smallest share of the patches of a masked crop that are masked.
        mask_max_ratio: float in 0..1, largest share.
        patch_weight: float, weight of the patch loss.
        visible_weight: float, weight of visible patches against masked ones: 0 in iBOT, 1 in iBOT++.
        ema_rate: float, share that the teacher moves towards the student in a step at the start; decays to 0 along a
            cosine.
        freeze_epochs: int, epochs at the start in which the last layer does not change.

    Raises:
        ValueError: if the encoder has no patch tokens.
    """

    paper = "https://arxiv.org/abs/2111.07832"
    use = "vision transformers for dense tasks and k-NN; multi-crop and patch outputs cost time and memory"
    batch = 64
    views = "ibot"
    default_encoder = "vit_tiny"
    kinds = ("image",)
    micro_batches = False

    def __init__(
        self,
        encoder,
        projection_dim: int = 256,
        hidden_dim: int = 2048,
        prototypes: int = 8192,
        temperature: float = 0.1,
        teacher_temperature: float = 0.04,
        teacher_temperature_end: float = 0.07,
        teacher_warmup: float = 0.0375,
        centre_rate: float = 0.1,
        mask_share: float = 0.5,
        mask_min_ratio: float = 0.1,
        mask_max_ratio: float = 0.5,
        patch_weight: float = 1.0,
        visible_weight: float = 0.0,
        ema_rate: float = 0.004,
        freeze_epochs: int = 1,
        **kwargs,
    ):
        super().__init__(encoder, **kwargs)
        self.projection_dim, self.hidden_dim, self.prototypes = projection_dim, hidden_dim, prototypes
        self.temperature, self.teacher_warmup = temperature, teacher_warmup
        self.teacher_temperature, self.teacher_temperature_end = teacher_temperature, teacher_temperature_end
        self.centre_rate, self.ema_rate, self.freeze_epochs = centre_rate, ema_rate, freeze_epochs
        self.mask_share, self.mask_min_ratio, self.mask_max_ratio = mask_share, mask_min_ratio, mask_max_ratio
        self.patch_weight, self.visible_weight = patch_weight, visible_weight
        self.networks = SelfDistillation(encoder, hidden_dim, projection_dim, prototypes)
        self.projector, self.teacher = self.networks.head, self.networks.teacher
        self.centre, self.patch_centre = (self.add_state(n, (prototypes,)) for n in ("centre", "patch_centre"))

    def call(self, batch, training=None):
        large, small = batch["views"][:2], self.together(batch["views"][2:], self.encode)
        mask = self._mask(ops.shape(large[0])[0], self.networks.grid(large), training)
        return self.networks(large, small, mask, self.step < self.freeze_epochs * self.steps_per_epoch)

    def encode(self, inputs):
        return self.networks.read(inputs)

    def exported(self):
        return self.teacher.copies[0]

    def objective(self, student, teacher, student_patches, teacher_patches, mask, **tokens):
        sharp = warmed(self.teacher_temperature, self.teacher_temperature_end, self.teacher_warmup, self.progress)
        temperatures = dict(student_temperature=self.temperature, teacher_temperature=sharp)
        loss = losses.dino(student, teacher, self.centre, **temperatures)
        codes = teacher_codes(teacher_patches, sharp, self.patch_centre)
        patches = losses.masked_cross_entropy(student_patches / self.temperature, codes, weights=mask)
        if self.visible_weight:
            visible = losses.masked_cross_entropy(student_patches / self.temperature, codes, weights=~mask)
            patches += self.visible_weight * visible
        return ops.mean(gather(loss + self.patch_weight * ops.mean(patches, axis=1)))

    def after_step(self, teacher, teacher_patches, **outputs):
        move_centre(self.centre, teacher, self.centre_rate)
        move_centre(self.patch_centre, teacher_patches, self.centre_rate)
        self.teacher.update(cosine_to_zero(self.ema_rate, self.progress_before))

    def _mask(self, count, grid: tuple, training):
        """Masked patches of the two large crops of each image, bool (count, 2, rows, columns)."""
        ratios, patches = (self.mask_min_ratio, self.mask_max_ratio), grid[0] * grid[1]
        wanted = self.uniform((count, 2, 2), 0, training=training)
        wanted = masking.random_counts(wanted, patches, self.mask_share, ratios)
        noise = self.uniform((count, 2, masking.TRIES, 4), 1, training=training)
        return masking.crop_blocks(noise, grid, wanted, (min(grid) // 3) ** 2)
