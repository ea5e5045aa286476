"""Optimizers of the papers: LARS, LAMB, SGD with L2 regularization, and those of Keras by name."""

import difflib
import inspect
from collections.abc import Callable

import keras
from keras import ops

from sslzoo.utils import keras_internals as internals


class Pretrains(internals.OptimizerHooks):
    """Mixin for optimizers of self-supervised training.

    Weight decay applies to weights with at least two dimensions only, so not to biases and norms, and not to those that
    `exclude_from_weight_decay` or `spare` names. It may be a schedule. Gradients are clipped after their sum over the
    replicas, so that the result does not depend on the number of replicas.
    """

    @property
    def weight_decay(self):
        """The value at this step."""
        decay = self._weight_decay
        return decay(self.iterations) if isinstance(decay, keras.optimizers.schedules.LearningRateSchedule) else decay

    @weight_decay.setter
    def weight_decay(self, decay):
        self._weight_decay = keras.saving.deserialize_keras_object(decay) if isinstance(decay, dict) else decay

    def get_config(self):
        return super().get_config() | {"weight_decay": keras.saving.serialize_keras_object(self._weight_decay)}

    def __repr__(self) -> str:
        settings = self.get_config()
        shown = ", ".join(f"{name}={settings[name]!r}" for name in ("learning_rate", "weight_decay"))
        return f"{type(self).__name__}({shown})"

    spared: frozenset[int] = frozenset()  # ids of weights of at least two dimensions without weight decay

    def decays(self, variable):
        return len(variable.shape) > 1 and id(variable) not in self.spared and super().decays(variable)


class _DecaysInside(internals.NoDecoupledDecay, Pretrains, keras.optimizers.Optimizer):
    """Base of optimizers whose update rule contains the weight decay; constructor arguments are the config."""

    def _decay(self, variable):
        """The weight decay of a weight at this step."""
        decay = self.weight_decay if self.decays(variable) else None
        return 0.0 if decay is None else decay

    def get_config(self):
        config = super().get_config()
        own = inspect.signature(type(self).__init__).parameters
        return config | {name: getattr(self, name) for name in own if name not in {*config, "self", "kwargs"}}


@keras.saving.register_keras_serializable("sslzoo")
class SGD(_DecaysInside):
    """Momentum SGD with L2 regularization, whose gradient passes through the momentum, as in the papers.

    d = g + weight_decay * w; v = momentum * v + d; w = w - learning_rate * v. Keras' SGD decays apart from the
    gradient. Weight decay does not apply to weights with at most one dimension.

    Args:
        learning_rate: float or schedule.
        momentum: float, 0 for plain gradient descent.
        weight_decay: float or schedule, factor of the L2 term.
        classic_momentum: bool, v = momentum * v + learning_rate * d; w = w - v, which differs only while the rate
            changes.
        **kwargs: arguments of every Keras optimizer: clipnorm, name, ...
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
    """Layer-wise adaptive rate scaling (You, Gitman and Ginsburg 2017, arXiv 1708.03888).

    `SGD` whose d is multiplied by trust_coefficient * |w| / |d| for each weight, or by 1 if a norm is zero. The default
    momentum is that of BYOL, MoCo v3, Barlow Twins and VICReg; classic_momentum=True is that of SimCLR's code. Weights
    with at most one dimension are neither decayed nor scaled.

    Args:
        learning_rate, momentum, weight_decay, classic_momentum: as of `SGD`.
        trust_coefficient: float, 0.001 in all those papers.
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
    """Layer-wise adaptive moments (You et al. 2019, arXiv 1904.00962, algorithm 2).

    r = m^ / (sqrt(v^) + epsilon) + weight_decay * w, with Adam's bias-corrected moments; w = w - rate * |w| / |r| * r.
    `keras.optimizers.Lamb` excludes the decay from r and scales biases too; here weights with at most one dimension are
    neither decayed nor scaled.

    Args:
        learning_rate: float or schedule.
        weight_decay: float or schedule, factor of w in r.
        beta_1, beta_2: float, decay rates of the moments.
        epsilon: float, added to the root of the second moment.
        **kwargs: arguments of every Keras optimizer: clipnorm, name, ...
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
        """Updates the running mean in `slot` with `value`; returns it with bias correction."""
        moment = ops.add(beta * ops.cast(slot, "float32"), ops.multiply(value, 1.0 - beta))
        self.assign(slot, moment)
        return moment / (1.0 - ops.power(beta, ops.cast(self.iterations + 1, "float32")))


def _norm_ratio(weight, step, coefficient):
    """coefficient * |weight| / |step|, or 1 where a norm is zero, so that weights of zero can change."""
    weight_norm = ops.norm(ops.reshape(ops.cast(weight, "float32"), (-1,)))
    step_norm = ops.norm(ops.reshape(step, (-1,)))
    usable = ops.logical_and(weight_norm > 0, step_norm > 0)
    return ops.where(usable, coefficient * ops.divide_no_nan(weight_norm, step_norm), 1.0)


def _sparing(optimizer: type) -> type:
    """A Keras optimizer class with the weight decay of `Pretrains`, registered under the name of sslzoo."""
    spared = type(optimizer.__name__, (Pretrains, optimizer), {"__doc__": optimizer.__doc__, "__module__": __name__})
    return keras.saving.register_keras_serializable("sslzoo")(spared)


def _takes_learning_rate(value) -> bool:
    """Whether a class is an optimizer of weights: neither the abstract base nor a wrapper of other optimizers."""
    is_optimizer = isinstance(value, type) and issubclass(value, keras.optimizers.Optimizer)
    return is_optimizer and "learning_rate" in inspect.signature(value.__init__).parameters


_OURS = {cls.__name__.lower(): cls for cls in (SGD, LARS, LAMB)}
_THEIRS = {name.lower(): cls for name, cls in vars(keras.optimizers).items() if _takes_learning_rate(cls)}
_CLASSES = {name: _sparing(cls) for name, cls in _THEIRS.items() if name not in _OURS} | _OURS


def rated(optimizer: keras.optimizers.Optimizer, rate: Callable) -> keras.optimizers.Optimizer:
    """Gives each weight a learning rate of its own. A loaded optimizer needs it again.

    Args:
        optimizer: a Keras optimizer, changed in place.
        rate: callable (weight, learning rate of the step) -> learning rate of the weight; replaces an earlier one.

    Returns:
        The optimizer.
    """
    internals.set_update(optimizer, rate)
    return optimizer


def spare(optimizer: keras.optimizers.Optimizer, weights: list[keras.Variable]) -> None:
    """Exempts weights from weight decay, and from the scaling of LARS and LAMB. A loaded optimizer needs it again.

    Args:
        optimizer: changed in place. One that `make` did not return must not be built.
        weights: the weights.
    """
    if isinstance(optimizer, Pretrains):
        optimizer.spared = frozenset(map(id, weights))
    elif not optimizer.built:
        optimizer.exclude_from_weight_decay(var_list=weights)


def names() -> list[str]:
    """The names that `make` accepts, sorted."""
    return sorted(_CLASSES)


def make(name: str, learning_rate, weight_decay=0.0, **settings) -> keras.optimizers.Optimizer:
    """An optimizer by name, whose weight decay does not apply to biases and norms.

    "lars", "lamb" and "sgd" (momentum 0.9, L2 in the gradient) are those of sslzoo. Other names are the Keras classes,
    whose weight decay is decoupled: w = w - learning_rate * weight_decay * w. "adam" with a weight decay is thus
    "adamw".

    Args:
        name: str, one of `names()`, in any case.
        learning_rate: float, schedule or callable.
        weight_decay: float or schedule, for weights with at least two dimensions.
        **settings: further arguments of the optimizer, such as beta_2=0.95.

    Raises:
        ValueError: if the name is unknown, or Muon is given a schedule of weight decay.
    """
    if name.lower() not in _CLASSES:
        near = difflib.get_close_matches(name.lower(), names(), cutoff=0.5) or names()
        raise ValueError(f"no optimizer is called {name!r}; did you mean {' or '.join(near)}?")
    optimizer = _CLASSES[name.lower()]
    # Muon has a second decay, for the weights that it updates by Adam, with a default above 0.
    decays = {key: weight_decay for key in inspect.signature(optimizer).parameters if key.endswith("weight_decay")}
    if len(decays) > 1 and callable(weight_decay):
        raise ValueError(f"{name} decays with a constant: choose another optimizer, or a constant weight_decay")
    rate = learning_rate if callable(learning_rate) else float(learning_rate)
    return optimizer(learning_rate=rate, **decays | settings)
