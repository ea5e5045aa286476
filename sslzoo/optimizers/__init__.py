"""Optimizers of the papers: LARS, LAMB, SGD with L2, and Keras' own by name."""

import difflib
import inspect
from collections.abc import Callable

import keras
from keras import ops

from sslzoo.utils import keras_internals as internals


class Pretrains(internals.OptimizerHooks):
    """Mixin: what self-supervised papers expect of an optimizer and Keras' own do otherwise.

    Weight decay leaves weights with at most one dimension alone (biases, the gamma and beta of norms), and what
    `exclude_from_weight_decay` names; unlike that list this rule survives saving and loading. It may be a schedule.
    Gradients are clipped after their sum over the replicas, not before: the same on any number of them.
    """

    @property
    def weight_decay(self):
        """Its value at this step."""
        decay = self._weight_decay
        return decay(self.iterations) if isinstance(decay, keras.optimizers.schedules.LearningRateSchedule) else decay

    @weight_decay.setter
    def weight_decay(self, decay):
        self._weight_decay = keras.saving.deserialize_keras_object(decay) if isinstance(decay, dict) else decay

    def get_config(self):
        return super().get_config() | {"weight_decay": keras.saving.serialize_keras_object(self._weight_decay)}

    def decays(self, variable):
        return len(variable.shape) > 1 and super().decays(variable)


class _DecaysInside(internals.NoDecoupledDecay, Pretrains, keras.optimizers.Optimizer):
    """Weight decay is a term of the update rule, and the constructor's arguments are the config."""

    def _decay(self, variable):
        """The factor of the decay of a weight at this step."""
        decay = self.weight_decay if self.decays(variable) else None
        return 0.0 if decay is None else decay

    def get_config(self):
        config = super().get_config()
        own = inspect.signature(type(self).__init__).parameters
        return config | {name: getattr(self, name) for name in own if name not in {*config, "self", "kwargs"}}


@keras.saving.register_keras_serializable("sslzoo")
class SGD(_DecaysInside):
    """Momentum SGD as the self-supervised papers mean it: L2 is added to the gradient, so it goes through the momentum.

    d = g + weight_decay * w;  v = momentum * v + d;  w = w - learning_rate * v.
    Keras' SGD decays apart from the gradient instead. Weights with at most one dimension are not decayed.

    Args:
        learning_rate: float or schedule.
        momentum: 0 is plain gradient descent.
        weight_decay: factor of the L2 term, float or schedule.
        classic_momentum: v = momentum * v + learning_rate * d;  w = w - v. It differs only while the rate changes.
        **kwargs: what every Keras optimizer takes: clipnorm, name, ...
    """

    def __init__(self, learning_rate=0.01, momentum=0.9, weight_decay=0.0, classic_momentum=False, **kwargs):
        super().__init__(learning_rate, weight_decay=weight_decay, **kwargs)
        self.momentum = momentum
        self.classic_momentum = classic_momentum

    def build(self, variables):
        if self.built:
            return
        super().build(variables)
        self._velocities = self.add_optimizer_variables(variables, "velocity")

    def direction(self, gradient, variable):
        """The gradient with L2, float32, in the shape of `variable`."""
        weight = ops.cast(variable, "float32")
        return ops.add(self._decay(variable) * weight, ops.cast(gradient, "float32"))

    def update_step(self, gradient, variable, learning_rate):
        rate = ops.cast(learning_rate, "float32")
        inside, outside = (rate, 1.0) if self.classic_momentum else (1.0, rate)
        slot = self.slot(self._velocities, variable)
        velocity = self.momentum * ops.cast(slot, "float32") + inside * self.direction(gradient, variable)
        self.assign(slot, velocity)
        self.assign_sub(variable, outside * velocity)


@keras.saving.register_keras_serializable("sslzoo")
class LARS(SGD):
    """Layer-wise adaptive rate scaling (You, Gitman and Ginsburg 2017, https://arxiv.org/abs/1708.03888).

    `SGD` whose d is multiplied by trust_coefficient * |w| / |d|, weight by weight (by 1 if a norm is zero). The default
    momentum is that of BYOL, MoCo v3, Barlow Twins and VICReg; `classic_momentum=True` is that of SimCLR's own code.
    Weights with at most one dimension are neither decayed nor scaled.

    Args:
        learning_rate, momentum, weight_decay, classic_momentum: as in `SGD`.
        trust_coefficient: 0.001 in all those papers.
    """

    def __init__(
        self,
        learning_rate=0.2,
        momentum=0.9,
        weight_decay=0.0,
        trust_coefficient=0.001,
        classic_momentum=False,
        **kwargs,
    ):
        super().__init__(learning_rate, momentum, weight_decay, classic_momentum, **kwargs)
        self.trust_coefficient = trust_coefficient

    def direction(self, gradient, variable):
        direction = super().direction(gradient, variable)
        if not self.decays(variable):
            return direction
        return direction * _norm_ratio(variable, direction, self.trust_coefficient)


@keras.saving.register_keras_serializable("sslzoo")
class LAMB(_DecaysInside):
    """Layer-wise adaptive moments (You et al. 2019, https://arxiv.org/abs/1904.00962, algorithm 2).

    r = m^ / (sqrt(v^) + epsilon) + weight_decay * w, with Adam's bias-corrected moments;  w = w - rate * |w| / |r| * r.
    `keras.optimizers.Lamb` keeps the decay out of r and scales biases as well; here weights with at most one dimension
    are neither decayed nor scaled.

    Args:
        learning_rate: float or schedule.
        weight_decay: factor of w inside r, float or schedule.
        beta_1, beta_2: decay of the moments.
        epsilon: added to the root of the second moment.
        **kwargs: what every Keras optimizer takes: clipnorm, name, ...
    """

    def __init__(self, learning_rate=0.001, weight_decay=0.0, beta_1=0.9, beta_2=0.999, epsilon=1e-6, **kwargs):
        super().__init__(learning_rate, weight_decay=weight_decay, **kwargs)
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon

    def build(self, variables):
        if self.built:
            return
        super().build(variables)
        self._firsts, self._seconds = self.add_optimizer_variables(variables, ["momentum", "velocity"])

    def update_step(self, gradient, variable, learning_rate):
        gradient = ops.cast(gradient, "float32")
        first = self._moment(self.slot(self._firsts, variable), gradient, self.beta_1)
        second = self._moment(self.slot(self._seconds, variable), ops.square(gradient), self.beta_2)
        step = first / (ops.sqrt(second) + self.epsilon) + self._decay(variable) * ops.cast(variable, "float32")
        if self.decays(variable):
            step = step * _norm_ratio(variable, step, 1.0)
        self.assign_sub(variable, ops.cast(learning_rate, "float32") * step)

    def _moment(self, slot, value, beta):
        """Moves the running mean in `slot` towards `value`; returns it corrected for its start at zero."""
        moment = ops.add(beta * ops.cast(slot, "float32"), ops.multiply(value, 1.0 - beta))
        self.assign(slot, moment)
        return moment / (1.0 - ops.power(beta, ops.cast(self.iterations + 1, "float32")))


def _norm_ratio(weight, step, coefficient):
    """coefficient * |weight| / |step|, or 1 where either norm is zero: a weight that starts at zero must move."""
    weight_norm = ops.norm(ops.reshape(ops.cast(weight, "float32"), (-1,)))
    step_norm = ops.norm(ops.reshape(step, (-1,)))
    usable = ops.logical_and(weight_norm > 0, step_norm > 0)
    return ops.where(usable, coefficient * ops.divide_no_nan(weight_norm, step_norm), 1.0)


def _sparing(optimizer: type) -> type:
    """A Keras optimizer class whose weight decay spares vectors; it saves and loads under sslzoo's name."""
    spared = type(optimizer.__name__, (Pretrains, optimizer), {"__doc__": optimizer.__doc__, "__module__": __name__})
    return keras.saving.register_keras_serializable("sslzoo")(spared)


def _takes_learning_rate(value) -> bool:
    """True for an optimizer that moves weights itself: neither the abstract base nor a wrapper of other optimizers."""
    is_optimizer = isinstance(value, type) and issubclass(value, keras.optimizers.Optimizer)
    return is_optimizer and "learning_rate" in inspect.signature(value.__init__).parameters


_OURS = {cls.__name__.lower(): cls for cls in (SGD, LARS, LAMB)}
_THEIRS = {name.lower(): cls for name, cls in vars(keras.optimizers).items() if _takes_learning_rate(cls)}
_CLASSES = {name: _sparing(cls) for name, cls in _THEIRS.items() if name not in _OURS} | _OURS


def rated(optimizer: keras.optimizers.Optimizer, rate: Callable) -> keras.optimizers.Optimizer:
    """The optimizer with a learning rate of its own for each weight; a loaded optimizer has to be given it again.

    Args:
        optimizer: any of Keras; it is changed in place.
        rate: (weight, learning rate of the step) -> learning rate of that weight; takes the place of an earlier one.
    """
    internals.set_update(optimizer, rate)
    return optimizer


def names() -> list[str]:
    """What `make` knows, sorted."""
    return sorted(_CLASSES)


def make(name: str, learning_rate, weight_decay=0.0, **settings) -> keras.optimizers.Optimizer:
    """An optimizer by name, whose weight decay leaves biases and norms alone.

    "lars", "lamb" and "sgd" (momentum 0.9, L2 in the gradient) are sslzoo's; every other name is the Keras class of
    that name, whose weight decay is decoupled: w = w - learning_rate * weight_decay * w. So "adam" with a weight decay
    is "adamw".

    Args:
        name: one of `names()`, in any case.
        learning_rate: number, schedule or callable.
        weight_decay: for weights with two dimensions or more; number or schedule.
        **settings: further arguments of that optimizer, e.g. beta_2=0.95.

    Raises:
        ValueError: for an unknown name, with the nearest ones; for a schedule of weight decay that Muon is given.
    """
    if name.lower() not in _CLASSES:
        near = difflib.get_close_matches(name.lower(), names(), cutoff=0.5) or names()
        raise ValueError(f"no optimizer is called {name!r}; did you mean {' or '.join(near)}?")
    optimizer = _CLASSES[name.lower()]
    # Muon has a second decay, for what it leaves to Adam, which is on by default.
    decays = {key: weight_decay for key in inspect.signature(optimizer).parameters if key.endswith("weight_decay")}
    if len(decays) > 1 and callable(weight_decay):
        raise ValueError(f"{name} decays with a constant: choose another optimizer, or no end of the weight decay")
    rate = learning_rate if callable(learning_rate) else float(learning_rate)
    return optimizer(learning_rate=rate, **decays | settings)
