"""Every private part of Keras that sslzoo uses: each test says what to look at when a release of Keras breaks it."""

import ast
import gc
from pathlib import Path

import keras
import numpy as np
import pytest

import sslzoo
from sslzoo.utils import keras_internals as internals

PACKAGE = Path(internals.__file__).parents[1]
HELD = {"Operation", "Trainer", "Optimizer"}


def network():
    """input -> dense -> inner model (norm, relu) -> add -> output."""
    inner_input = keras.Input((4,))
    inner_output = keras.layers.ReLU(name="relu")(keras.layers.BatchNormalization(name="norm")(inner_input))
    inner = keras.Model(inner_input, inner_output, name="inner")
    x = keras.Input((3,), name="images")
    dense = keras.layers.Dense(4, name="dense")(x)
    return keras.Model(x, keras.layers.Add(name="add")([dense, inner(dense)]))


def test_flatten_layers_finds_nested_layers():
    names = [layer.name for layer in internals.all_layers(network())]
    assert {"dense", "inner", "norm", "relu", "add"} <= set(names), "Layer._flatten_layers no longer goes into models"
    assert [norm.name for norm in internals.norms(network())] == ["norm"]


def test_keras_history_leads_from_a_tensor_to_its_operation_and_inputs():
    model = network()
    operation, inputs = internals.source(model.output)
    assert operation is model.get_layer("add"), "KerasTensor._keras_history no longer starts with the operation"
    assert inputs[0] is model.get_layer("dense").output, "Operation._inbound_nodes no longer has input_tensors"
    assert internals.source(model.input)[1] == [], "an input tensor has inputs of its own"


def test_a_layer_used_twice_keeps_its_calls_apart():
    x, shared = keras.Input((3,)), keras.layers.Dense(3)
    first = shared(x)
    second = shared(first)
    assert internals.source(second)[1][0] is first and internals.source(first)[1][0] is x


def test_nodes_by_depth_are_in_the_order_of_computation():
    found = internals.nodes(network())
    names = [node.operation.name for node in found]
    assert names == ["images", "dense", "inner", "add"], "Functional._nodes_by_depth changed its order"
    assert {parent.operation.name for parent in found[-1].parent_nodes} == {"dense", "inner"}
    assert found[1].output_tensors[0].shape == (None, 4) and found[1].input_tensors[0].shape == (None, 3)


def test_fit_asks_maybe_symbolic_build():
    asked = []

    class Asked(keras.Sequential):
        def _maybe_symbolic_build(self, iterator=None, data_batch=None):
            asked.append(True)

    model = Asked([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    model.fit(np.ones((4, 2)), np.ones((4, 1)), verbose=0)
    assert asked, "Trainer._maybe_symbolic_build is gone: check that several workers still train (test_workers.py)"
    assert internals.NoSymbolicBuild()._maybe_symbolic_build(iterator=None, data_batch=None) is None


class Hooked(internals.OptimizerHooks, keras.optimizers.SGD):
    """Only what decays is chosen here."""

    def decays(self, variable):
        return len(variable.shape) > 1 and super().decays(variable)


def applied(optimizer, *shapes):
    weights = [keras.Variable(np.ones(shape, "float32")) for shape in shapes]
    optimizer.build(weights)
    optimizer.apply([keras.ops.ones(shape) for shape in shapes], weights)
    return weights


def test_use_weight_decay_is_asked_for_each_weight():
    matrix, vector = applied(Hooked(0.0, weight_decay=0.1), (2, 2), (2,))
    matrix_moved, vector_moved = (float(np.abs(np.array(w) - 1).max()) for w in (matrix, vector))
    assert vector_moved == 0, "Optimizer._use_weight_decay is no longer asked"
    assert matrix_moved == 0  # decoupled: scaled by a learning rate of zero
    matrix, vector = applied(Hooked(0.5, weight_decay=0.1), (2, 2), (2,))
    np.testing.assert_allclose([matrix[0, 0], vector[0]], [1 - 0.5 * 0.1 - 0.5, 0.5], rtol=1e-6)


def test_gradients_are_clipped_after_the_sum_over_replicas(mirrored):
    """Two replicas with gradients of 1 and 1: the sum of 2 is clipped to 1. Keras alone clips each and adds to 2."""

    def moved(kind):
        with mirrored.scope():
            optimizer, weight = kind(1.0, clipvalue=1.0), keras.Variable(np.zeros(1, "float32"))
            optimizer.build([weight])
        mirrored.run(lambda: optimizer.apply([keras.ops.ones((1,))], [weight]))
        return float(weight[0])

    assert moved(Hooked) == -1.0, "Optimizer._all_reduce_sum_gradients or _clip_gradients is no longer called"
    assert moved(keras.optimizers.SGD) == -2.0, "Keras now clips after the sum: OptimizerHooks can go"


def test_apply_weight_decay_is_where_keras_decays():
    class Inside(internals.NoDecoupledDecay, keras.optimizers.SGD):
        pass

    (weight,) = applied(Inside(0.5, weight_decay=0.1), (2, 2))
    np.testing.assert_allclose(weight, 0.5, err_msg="Optimizer._apply_weight_decay is no longer where Keras decays")


def test_a_slot_belongs_to_its_weight():
    optimizer = Hooked(0.1, momentum=0.9)
    weights = applied(optimizer, (2, 2), (3,))
    slots = optimizer.add_optimizer_variables(weights, "extra")
    assert [optimizer.slot(slots, weight).shape for weight in weights] == [(2, 2), (3,)]


def test_learning_rate_is_the_schedule_itself():
    schedule = keras.optimizers.schedules.CosineDecay(0.1, 10)
    optimizer = keras.optimizers.SGD(schedule)
    assert internals.learning_rate(optimizer) is schedule, "Optimizer._learning_rate no longer holds the schedule"
    assert internals.learning_rate(keras.optimizers.LossScaleOptimizer(optimizer)) is schedule


@pytest.mark.parametrize("replicas", [1, 2])
def test_update_step_can_be_given_a_learning_rate_for_each_weight(replicas, mirrored):
    def train():
        optimizer = keras.optimizers.SGD(1.0)
        weights = [keras.Variable(np.zeros(2, "float32")) for _ in range(2)]
        optimizer.build(weights)
        internals.set_update(optimizer, lambda weight, rate: rate * (3 if weight is weights[1] else 1))
        step = lambda: optimizer.apply([keras.ops.ones((2,)) / replicas for _ in weights], weights)  # noqa: E731
        mirrored.run(step) if replicas > 1 else step()
        return [float(weight[0]) for weight in weights]

    with mirrored.scope() if replicas > 1 else keras.device("cpu:0"):
        assert train() == [-1.0, -3.0], "Optimizer._trainable_variables or _get_variable_index changed"


PRIVATE = {
    name
    for owner in (keras.Model, keras.layers.Layer, keras.optimizers.Optimizer, keras.Sequential)
    for name in dir(owner)
    if name.startswith("_") and not name.startswith("__")
} | {"_keras_history", "_nodes_by_depth", "_learning_rate", "_trainable_variables"}


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_no_other_file_uses_private_parts_of_keras(path):
    if path.name == "keras_internals.py":
        return
    tree = ast.parse(path.read_text("utf-8"))
    used = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)} & PRIVATE
    defined = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    modules = {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert used - defined == set()
    assert not any(module.startswith("keras.src") for module in modules)


@pytest.mark.long
def test_a_second_training_leaves_few_objects_behind(tmp_path):
    images = np.random.default_rng(0).random((32, 8, 8, 1), "float32")
    knobs = dict(units=8, hidden_dim=8, projection_dim=4, epochs=1, batch_size=16, evaluate=False, export_to=None)
    counts = []
    for name in "abc":
        sslzoo.pretrain("simclr", images, "mlp", runs=str(tmp_path), name=name, **knobs)
        gc.collect()
        counts.append(len(gc.get_objects()))
    assert counts[2] - counts[1] < 1500, "with the registered gradients it is 4800"
