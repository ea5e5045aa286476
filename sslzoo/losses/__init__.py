"""Losses: pure functions of the global batch, computed in float32, from embeddings of any norm to a scalar.

Every loss is `loss(predictions, targets, ..., *, knobs)`: predictions before targets, hyperparameters by keyword only.
Those of `reconstruction`, and those of `masked` that compare patches, return one number for each row; their mean is the
loss.
"""

from sslzoo.losses.clustering import (
    cluster_cross_entropy,
    group_cross_entropy,
    kmeans_step,
    me_max,
    msn,
    nearest_centroid,
    prior_divergence,
    sharpen,
    sinkhorn,
    spherical_kmeans,
    swapped_prediction,
    update_groups,
)
from sslzoo.losses.contrastive import cpc, cross_view_info_nce, dcl, dclw, info_nce, nt_xent, nt_xent_baseline
from sslzoo.losses.directions import unit
from sslzoo.losses.distillation import cross_view_entropy, dino, distillation, soft_cross_entropy
from sslzoo.losses.instance import (
    hardest_negatives,
    mixed_negatives,
    noise_contrastive,
    non_parametric_softmax,
    partition_function,
)
from sslzoo.losses.local import correspondence, vicreg_local
from sslzoo.losses.masked import (
    class_cross_entropy,
    gram,
    koleo,
    masked_cross_entropy,
    patch_images,
    patch_l1,
    patch_mse,
    patch_targets,
    smooth_l1,
    standardized,
)
from sslzoo.losses.metric import contrastive_pair, mined_triplet, triplet
from sslzoo.losses.reconstruction import cosine, l1, mse
from sslzoo.losses.redundancy import barlow_twins, redundancy, tico, tico_covariance, too_narrow, vicreg, w_mse, whiten
from sslzoo.losses.similarity import align, negative_cosine, uniformity
from sslzoo.losses.supervised import class_conditional_info_nce, sup_con

__all__ = [
    "align",
    "barlow_twins",
    "class_conditional_info_nce",
    "class_cross_entropy",
    "cluster_cross_entropy",
    "contrastive_pair",
    "correspondence",
    "cosine",
    "cpc",
    "cross_view_entropy",
    "cross_view_info_nce",
    "dcl",
    "dclw",
    "dino",
    "distillation",
    "gram",
    "group_cross_entropy",
    "hardest_negatives",
    "info_nce",
    "kmeans_step",
    "koleo",
    "l1",
    "masked_cross_entropy",
    "me_max",
    "mined_triplet",
    "mixed_negatives",
    "mse",
    "msn",
    "nearest_centroid",
    "negative_cosine",
    "noise_contrastive",
    "non_parametric_softmax",
    "nt_xent",
    "nt_xent_baseline",
    "partition_function",
    "patch_images",
    "patch_l1",
    "patch_mse",
    "patch_targets",
    "prior_divergence",
    "redundancy",
    "sharpen",
    "sinkhorn",
    "smooth_l1",
    "soft_cross_entropy",
    "spherical_kmeans",
    "standardized",
    "sup_con",
    "swapped_prediction",
    "tico",
    "tico_covariance",
    "too_narrow",
    "triplet",
    "uniformity",
    "unit",
    "update_groups",
    "vicreg",
    "vicreg_local",
    "w_mse",
    "whiten",
]
