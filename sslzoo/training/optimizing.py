"""The optimizer of a training, with the schedules of its learning rate and weight decay."""

import keras

from sslzoo import optimizers
from sslzoo.optimizers import schedules
from sslzoo.training.experiment import Experiment


def optimizer(s: Experiment, total: int) -> tuple[keras.optimizers.Optimizer, str]:
    """Returns the optimizer with its schedules, or a copy of the user's optimizer, and a line about it."""
    if isinstance(s.optimizer, keras.optimizers.Optimizer):
        again = type(s.optimizer).from_config(s.optimizer.get_config())
        return again, f"{type(again).__name__} with its own learning rate"
    if not isinstance(s.optimizer, str):
        raise ValueError(f"optimizer={s.optimizer!r} is no name and no Keras optimizer")
    peak, line = schedules.scaled_learning_rate(s.learning_rate, s.batch_size, s.learning_rate_rule)
    schedule = schedules.WarmupCosine(peak, total, warmup_steps=round(s.warmup * total))
    decay = s.weight_decay
    if s.weight_decay_end is not None:
        decay = schedules.WarmupCosine(decay, total, final=s.weight_decay_end)
    return optimizers.make(s.optimizer, schedule, decay, clipnorm=s.clip_norm), f"{line}; {s.optimizer}"
