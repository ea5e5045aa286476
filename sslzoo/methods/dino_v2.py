"""DINOv2, with DINOv3's Gram loss: iBOT with spread features and balanced teachers; vision transformers only."""

from keras import ops

from sslzoo import losses
from sslzoo.catalog.knobs import nearest
from sslzoo.layers import masking
from sslzoo.layers.self_distillation import SelfDistillation, move_centre, teacher_codes, warmed
from sslzoo.layers.targets import cosine_to_zero
from sslzoo.model import SSLModel
from sslzoo.utils.replicas import count, gather, own


class DINOv2(SSLModel):
    """The losses of DINO and iBOT, with KoLeo on the student's features of both large crops.

    Half of the large crops are masked, at evenly spread ratios. Crops and patches share a head, as by default in the
    authors' code, whose encoder has `drop_path=0.3`. DINOv3 (2508.10104) keeps an earlier teacher's similarities.

    Args:
        encoder: functional vision transformer, images (batch, height, width, channels) -> features (batch, features).
        hidden_dim, projection_dim: int, widths of the head's two hidden layers, and of its embedding.
        prototypes: int, width of the output, to which a softmax is applied.
        temperature: float, temperature of the student.
        teacher_temperature, teacher_temperature_end: float, that of the teacher before and after its warm-up.
        teacher_warmup: float, share of the training in which it rises linearly: 30 of 100 epochs in the paper.
        centring: "centre", or "sinkhorn" to balance the teacher's outputs over the batch, as in the released models.
        centre_rate: float, share that the centres move to the means of the teacher's logits in a step.
        mask_share: float in 0..1, share of the large crops that are masked.
        mask_min_ratio, mask_max_ratio: float in 0..1, range of the share of a crop's patches that are masked.
        patch_weight, koleo_weight: float, weights of the patch loss and of KoLeo.
        gram_weight: float, weight of the Gram loss: 0 in DINOv2, 2 in DINOv3.
        gram_start: float in 0..1, share of the training after which it acts, with the teacher of that time.
        ema_rate: float, share that the teacher moves to the student in a step; decays to 0 along a cosine.
        freeze_epochs: int, epochs at the start in which the last layer does not change.

    Raises:
        ValueError: if the encoder has no patch tokens, or `centring` is unknown.
    """

    paper = "https://arxiv.org/abs/2304.07193"
    use = "vision transformers on much data; features of images and patches that need no fine-tuning"
    batch = 64
    views = "dino_v2"
    default_encoder = "vit_tiny"
    kinds = ("image",)
    micro_batches = False

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
        centring: str = "centre",
        centre_rate: float = 0.1,
        mask_share: float = 0.5,
        mask_min_ratio: float = 0.1,
        mask_max_ratio: float = 0.5,
        patch_weight: float = 1.0,
        koleo_weight: float = 0.1,
        gram_weight: float = 0.0,
        gram_start: float = 0.6,
        ema_rate: float = 0.008,
        freeze_epochs: int = 1,
        **kwargs,
    ):
        super().__init__(encoder, **kwargs)
        if centring not in ("centre", "sinkhorn"):
            raise ValueError(nearest("centring", centring, ("centre", "sinkhorn")))
        self.projection_dim, self.hidden_dim, self.prototypes = projection_dim, hidden_dim, prototypes
        self.temperature, self.teacher_warmup, self.freeze_epochs = temperature, teacher_warmup, freeze_epochs
        self.teacher_temperature, self.teacher_temperature_end = teacher_temperature, teacher_temperature_end
        self.mask_share, self.mask_min_ratio, self.mask_max_ratio = mask_share, mask_min_ratio, mask_max_ratio
        self.centring, self.centre_rate, self.ema_rate, self.gram_start = centring, centre_rate, ema_rate, gram_start
        self.patch_weight, self.koleo_weight, self.gram_weight = patch_weight, koleo_weight, gram_weight
        self.networks = SelfDistillation(encoder, hidden_dim, projection_dim, prototypes, gram_weight > 0)
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

    def objective(self, student, teacher, student_patches, teacher_patches, mask, features, gram=None, **tokens):
        sharp = warmed(self.teacher_temperature, self.teacher_temperature_end, self.teacher_warmup, self.progress)
        centre, patch_centre = (self.centre, self.patch_centre) if self.centring == "centre" else (None, None)
        loss = losses.cross_view_entropy(student / self.temperature, teacher_codes(teacher, sharp, centre))
        codes = teacher_codes(teacher_patches, sharp, patch_centre, mask)
        patches = losses.masked_cross_entropy(student_patches / self.temperature, codes, weights=mask)
        loss += self.patch_weight * ops.mean(patches, axis=1)
        if gram is not None:
            loss += self.gram_weight * ops.where(self.progress >= self.gram_start, gram, 0.0)
        spread = losses.koleo(gather(features[:, 0])) + losses.koleo(gather(features[:, 1]))
        return ops.mean(gather(loss)) + self.koleo_weight * spread

    def after_step(self, teacher, teacher_patches, mask, **outputs):
        if self.centring == "centre":
            move_centre(self.centre, teacher, self.centre_rate)
            move_centre(self.patch_centre, teacher_patches, self.centre_rate, mask)
        self.teacher.update(cosine_to_zero(self.ema_rate, self.progress_before))
        self.networks.keep_teacher(self.progress < self.gram_start)

    def _mask(self, rows, grid: tuple, training):
        """Masked patches of the two large crops of each image, bool (rows, 2, height, width)."""
        ratios, patches = (self.mask_min_ratio, self.mask_max_ratio), grid[0] * grid[1]
        crops = ops.reshape(self.uniform((rows * count(), 2, 2), 0, everywhere=True, training=training), (-1, 2))
        wanted = own(ops.reshape(masking.stratified_counts(crops, patches, self.mask_share, ratios), (-1, 2)), rows)
        return masking.crop_blocks(self.uniform((rows, 2, masking.TRIES, 4), 1, training=training), grid, wanted, 4)
