"""The private parts of Keras and TensorFlow that sslzoo depends on; no other file uses their underscored names.

Each entry says which private name it uses and why no public one serves. tests/test_keras_internals.py has a test for
each, whose failure names what a new release of Keras changed.
"""

import contextlib
from collections.abc import Callable, Iterator

import keras


def all_layers(model: keras.layers.Layer) -> list[keras.layers.Layer]:
    """The model itself and every layer within it, nested ones included.

    Private: `Layer._flatten_layers`. `Model.layers` stops at the first level.
    """
    return list(model._flatten_layers())


def norms(model: keras.layers.Layer) -> list[keras.layers.BatchNormalization]:
    """Every BatchNormalization layer of a model, nested ones included."""
    return [layer for layer in all_layers(model) if isinstance(layer, keras.layers.BatchNormalization)]


def source(tensor: keras.KerasTensor) -> tuple[keras.Operation, list[keras.KerasTensor]]:
    """The operation that a symbolic tensor is an output of, and the tensors that the operation took.

    Private: `KerasTensor._keras_history`, `Operation._inbound_nodes`. `Layer.input` fails where a layer is used twice.
    """
    operation, index, _ = tensor._keras_history
    return operation, list(operation._inbound_nodes[index].input_tensors)


def nodes(model: keras.Model) -> list:
    """The calls of a functional model in the order of their computation.

    Each has `operation`, `input_tensors`, `output_tensors` and `parent_nodes`.

    Private: `Functional._nodes_by_depth`.
    """
    return [node for depth in sorted(model._nodes_by_depth, reverse=True) for node in model._nodes_by_depth[depth]]


@contextlib.contextmanager
def temporary_gradients() -> Iterator[None]:
    """Forgets, at its end, the custom gradients that were registered within it.

    Private: `gradient_registry._registry` of TensorFlow. It holds the gradient of every traced custom gradient for the
    life of the process, and with it the graph of every model that Keras trained: 16 MB for a small one. Functions that
    were traced within the context must not be differentiated after it.
    """
    from tensorflow.python.framework.ops import gradient_registry  # layers are also loaded without TensorFlow

    registry = gradient_registry._registry
    before = set(registry)
    try:
        yield
    finally:
        for name in set(registry) - before:
            del registry[name]


class NoSymbolicBuild:
    """Mixin of a Model that is complete once constructed: `fit` does not build it from the first batch.

    Private: `Trainer._maybe_symbolic_build`. It reads a whole batch before the first step, and fails under
    MultiWorkerMirroredStrategy (keras-team/keras#20585).
    """

    def _maybe_symbolic_build(self, iterator=None, data_batch=None) -> None:
        pass


class OptimizerHooks:
    """Mixin of an optimizer: clips gradients after their sum over replicas, and decides which weights decay.

    Private: `Optimizer._clip_gradients`, `_all_reduce_sum_gradients`, `_use_weight_decay`, `_get_variable_index`. Keras
    clips before the sum, which makes the result depend on the number of replicas, and its public
    `exclude_from_weight_decay` is lost when an optimizer is saved.
    """

    def decays(self, variable: keras.Variable) -> bool:
        """Whether weight decay applies to a weight; by default as `exclude_from_weight_decay` says."""
        return super()._use_weight_decay(variable)

    def slot(self, slots: list, variable: keras.Variable) -> keras.Variable:
        """The entry of a list made by `add_optimizer_variables` that belongs to a weight."""
        return slots[self._get_variable_index(variable)]

    def _use_weight_decay(self, variable):
        return self.decays(variable)

    def _clip_gradients(self, gradients):
        return gradients

    def _all_reduce_sum_gradients(self, gradients_and_weights):
        gradients, weights = zip(*super()._all_reduce_sum_gradients(gradients_and_weights), strict=True)
        return list(zip(super()._clip_gradients(list(gradients)), weights, strict=True))


class NoDecoupledDecay:
    """Mixin of an optimizer whose update rule contains the weight decay: Keras' own decay ahead of the step is off.

    Private: `Optimizer._apply_weight_decay`.
    """

    def _apply_weight_decay(self, variables):
        pass


def learning_rate(optimizer: keras.optimizers.Optimizer):
    """The learning rate as it was given: a variable, or a schedule, which `optimizer.learning_rate` evaluates.

    Private: `Optimizer._learning_rate`. A LossScaleOptimizer's is that of the optimizer it wraps.
    """
    return getattr(optimizer, "inner_optimizer", optimizer)._learning_rate


def set_update(optimizer: keras.optimizers.Optimizer, rate: Callable) -> None:
    """Gives each weight a learning rate of its own; a second call replaces the first.

    Private: `Optimizer._trainable_variables`, `_get_variable_index`. On replicas `update_step` receives the copy of one
    replica, not the weight that the model holds.

    Args:
        optimizer: changed in place.
        rate: (weight, learning rate of the step) -> learning rate of the weight.
    """

    def update_step(gradient, variable, learning_rate):
        weight = optimizer._trainable_variables[optimizer._get_variable_index(variable)]
        return type(optimizer).update_step(optimizer, gradient, variable, rate(weight, learning_rate))

    optimizer.update_step = update_step
