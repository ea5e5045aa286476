"""Learning rate schedules: warm-up and cosine decay, and the scaling of the peak with the batch size."""

import inspect
import math

import keras
from keras import ops

REFERENCE_BATCH = 256  # batch size for which papers quote learning rates


@keras.saving.register_keras_serializable("sslzoo")
class WarmupCosine(keras.optimizers.schedules.LearningRateSchedule):
    """Linear warm-up, then cosine decay.

    For step < warmup_steps: peak * (step + 1) / warmup_steps, so that no step has a rate of zero. Then final + (peak -
    final) * (1 + cos(pi * p)) / 2, where p = (step - warmup_steps) / (total_steps - warmup_steps). The first step after
    the warm-up has `peak`; `final` is reached after `total_steps` steps and kept.

    Args:
        peak: float, highest learning rate.
        total_steps: int, steps of the whole training, warm-up included.
        warmup_steps: int, steps of the warm-up.
        final: float, learning rate at the end.

    Raises:
        ValueError: unless 0 <= warmup_steps <= total_steps and total_steps >= 1.
    """

    def __init__(self, peak: float, total_steps: int, warmup_steps: int = 0, final: float = 0.0):
        if total_steps < 1 or not 0 <= warmup_steps <= total_steps:
            raise ValueError(f"a warm-up of {warmup_steps} does not fit into {total_steps} steps; shorten it")
        self.peak = peak
        self.total_steps = total_steps
        self.warmup_steps = warmup_steps
        self.final = final

    def __call__(self, step):
        step = ops.cast(step, "float32")
        rising = self.peak * (step + 1.0) / max(1, self.warmup_steps)
        progress = (step - self.warmup_steps) / max(1, self.total_steps - self.warmup_steps)
        cosine = 0.5 * (1.0 + ops.cos(math.pi * ops.clip(progress, 0.0, 1.0)))
        return ops.where(step < self.warmup_steps, rising, self.final + (self.peak - self.final) * cosine)

    def get_config(self):
        return {name: getattr(self, name) for name in inspect.signature(type(self)).parameters}


def scaled_learning_rate(base: float, batch_size: int, rule: str = "linear") -> tuple[float, str]:
    """The learning rate for a batch size, and one line that explains it.

    Args:
        base: float, learning rate for a batch of 256.
        batch_size: int, examples of the global batch.
        rule: "linear" (base * batch / 256), "sqrt" (base * sqrt(batch / 256); SimCLR's 0.075 * sqrt(batch) is a base of
            1.2) or "none".

    Returns:
        The learning rate, a float, and the line.

    Raises:
        ValueError: if the rule is unknown.
    """
    share = f"{batch_size}/{REFERENCE_BATCH}"
    rules = {
        "linear": (batch_size / REFERENCE_BATCH, f" x {share}", "linear in the batch size"),
        "sqrt": (math.sqrt(batch_size / REFERENCE_BATCH), f" x sqrt({share})", "square root of the batch size"),
        "none": (1.0, "", "whatever the batch size"),
    }
    if rule not in rules:
        raise ValueError(f"no learning rate rule is called {rule!r}; choose one of {', '.join(rules)}")
    factor, formula, why = rules[rule]
    value = base * factor
    equals = f"{formula} = {value:.4g}" if formula else ""
    return value, f"learning rate {base:.4g}{equals} ({why})"
