"""Optimizers against their papers in NumPy, what they spare, and that they save, load, scale and distribute."""

import math

import keras
import numpy as np
import pytest
import tensorflow as tf

from sslzoo import optimizers
from sslzoo.optimizers import LAMB, LARS, SGD, make
from sslzoo.optimizers.schedules import WarmupCosine, scaled_learning_rate

RATES = [0.5, 0.3, 0.1, 0.4]
W0 = np.random.default_rng(0).normal(size=(3, 4))
GRADIENTS = np.random.default_rng(1).normal(size=(len(RATES), 3, 4))


def one_step(optimizer, weight, gradient):
    """How far one step moves a weight."""
    variable = keras.Variable(np.asarray(weight, "float32"))
    before = variable.numpy()
    optimizer.apply([tf.constant(gradient, "float32")], [variable])
    return before - variable.numpy()


def trajectory(optimizer, start=W0, gradients=GRADIENTS):
    """The weight after a step for each of `RATES`."""
    variable = keras.Variable(start.astype("float32"))
    for rate, gradient in zip(RATES, gradients, strict=True):
        optimizer.learning_rate = rate
        optimizer.apply([tf.constant(gradient, "float32")], [variable])
    return variable.numpy()


def numpy_momentum(direction, momentum, classic):
    weight, velocity = W0.copy(), 0.0
    for rate, gradient in zip(RATES, GRADIENTS, strict=True):
        if classic:
            velocity = momentum * velocity + rate * direction(gradient, weight)
            weight = weight - velocity
        else:
            velocity = momentum * velocity + direction(gradient, weight)
            weight = weight - rate * velocity
    return weight


def numpy_lamb(decay, beta_1=0.9, beta_2=0.999, epsilon=1e-6):
    weight, m, v = W0.copy(), 0.0, 0.0
    for t, (rate, gradient) in enumerate(zip(RATES, GRADIENTS, strict=True), 1):
        m = beta_1 * m + (1 - beta_1) * gradient
        v = beta_2 * v + (1 - beta_2) * gradient**2
        r = m / (1 - beta_1**t) / (np.sqrt(v / (1 - beta_2**t)) + epsilon) + decay * weight
        weight = weight - rate * np.linalg.norm(weight) / np.linalg.norm(r) * r
    return weight


def lars_direction(gradient, weight, decay=0.1, trust=0.02):
    d = gradient + decay * weight
    return trust * np.linalg.norm(weight) / np.linalg.norm(d) * d


def small_model():
    keras.utils.set_random_seed(0)
    return keras.Sequential(
        [keras.Input((5,)), keras.layers.Dense(8), keras.layers.LayerNormalization(), keras.layers.Dense(3)]
    )


X = np.random.default_rng(2).normal(size=(16, 5)).astype("float32")
Y = np.random.default_rng(3).normal(size=(16, 3)).astype("float32")


def test_lars_first_step_is_the_known_number():
    step = one_step(LARS(1.0, weight_decay=0.1), [[3, 4]], [[0, 1]])
    np.testing.assert_allclose(step, [[0.0010477, 0.0048890]], atol=1e-6)


def test_lamb_first_step_is_the_known_number():
    step = one_step(LAMB(0.01, weight_decay=0.1), [[3, 4]], [[0, 1]])
    np.testing.assert_allclose(step, [[0.010476, 0.048890]], atol=1e-5)


@pytest.mark.parametrize("classic", [False, True])
def test_sgd_adds_l2_to_the_gradient_and_both_go_through_the_momentum(classic):
    ours = trajectory(SGD(0.1, weight_decay=0.1, classic_momentum=classic))
    np.testing.assert_allclose(ours, numpy_momentum(lambda g, w: g + 0.1 * w, 0.9, classic), atol=1e-6)


@pytest.mark.parametrize("classic", [False, True])
def test_lars_follows_the_paper(classic):
    ours = trajectory(LARS(0.1, weight_decay=0.1, trust_coefficient=0.02, classic_momentum=classic))
    np.testing.assert_allclose(ours, numpy_momentum(lars_direction, 0.9, classic), rtol=1e-5)


def test_the_two_momenta_differ_only_while_the_rate_changes():
    assert not np.allclose(trajectory(LARS(0.1)), trajectory(LARS(0.1, classic_momentum=True)), rtol=1e-6)
    steady = [keras.Variable(W0.astype("float32")) for _ in range(2)]
    for variable, classic in zip(steady, (False, True), strict=True):
        optimizer = LARS(0.3, classic_momentum=classic)
        for gradient in GRADIENTS:
            optimizer.apply([tf.constant(gradient, "float32")], [variable])
    np.testing.assert_allclose(steady[0].numpy(), steady[1].numpy(), rtol=1e-5)


def test_lamb_follows_the_paper():
    np.testing.assert_allclose(trajectory(LAMB(0.1, weight_decay=0.1)), numpy_lamb(0.1), rtol=1e-4)


@pytest.mark.parametrize("optimizer", [LARS, LAMB])
def test_a_layer_step_does_not_depend_on_the_scale_of_the_gradient(optimizer):
    steps = [one_step(optimizer(0.1), W0, scale * GRADIENTS[0]) for scale in (1.0, 1000.0)]
    np.testing.assert_allclose(steps[0], steps[1], rtol=1e-4)


def test_vectors_get_neither_decay_nor_trust_ratio():
    np.testing.assert_allclose(one_step(LARS(0.1, weight_decay=0.5), [3, 4], [0, 1]), [0, 0.1], atol=1e-6)
    np.testing.assert_allclose(one_step(LAMB(0.1, weight_decay=0.5), [3, 4], [0, 1]), [0, 0.1], atol=1e-6)
    np.testing.assert_allclose(one_step(SGD(0.1, weight_decay=0.5), [3, 4], [0, 1]), [0, 0.1], atol=1e-6)


@pytest.mark.parametrize("optimizer", [LARS, LAMB])
def test_a_weight_that_starts_at_zero_moves_and_a_zero_gradient_is_no_nan(optimizer):
    assert np.all(one_step(optimizer(0.1), np.zeros((2, 2)), np.ones((2, 2))) > 0)
    assert not np.any(one_step(optimizer(0.1), np.ones((2, 2)), np.zeros((2, 2))))


@pytest.mark.parametrize("name", optimizers.names())
def test_weight_decay_spares_biases_and_norms_whatever_the_optimizer(name):
    def after_three_steps(weight_decay):
        weights = [keras.Variable(np.ones(shape, "float32")) for shape in ((2, 3), (3,))]
        optimizer = make(name.upper(), 0.1, weight_decay)
        for _ in range(3):
            optimizer.apply([tf.zeros((2, 3)), tf.zeros(3)], weights)
        return [weight.numpy() for weight in weights]

    (decayed, bias), (_, untouched_bias) = after_three_steps(0.5), after_three_steps(0.0)
    np.testing.assert_array_equal(bias, untouched_bias)
    assert np.all(decayed < 1)


def test_a_conv_kernel_is_not_decayed_by_muon_unless_asked():
    np.testing.assert_array_equal(one_step(make("muon", 0.1), np.ones((3, 3, 1, 2)), np.zeros((3, 3, 1, 2))), 0)


def test_weights_excluded_by_hand_are_spared_too():
    optimizer = LAMB(0.1, weight_decay=0.5)
    optimizer.exclude_from_weight_decay(var_names=["token"])
    token = keras.Variable(np.full((1, 2), 3.0, "float32"), name="cls_token")
    optimizer.apply([tf.constant([[0.0, 1.0]])], [token])
    np.testing.assert_allclose(token.numpy(), [[3.0, 2.9]], atol=1e-5)


@pytest.mark.parametrize("name", optimizers.names())
def test_every_optimizer_survives_serialization(name):
    optimizer = make(name, WarmupCosine(0.1, 100, 10), weight_decay=0.25)
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(optimizer))
    assert type(again) is type(optimizer)
    assert again.get_config() == optimizer.get_config()
    assert again.weight_decay == 0.25


@pytest.mark.parametrize("name", ["lars", "lamb", "sgd", "adamw"])
def test_weight_decay_may_be_a_schedule_and_survives_serialization(name):
    optimizer = make(name, 0.5, WarmupCosine(0.25, total_steps=4, final=0.75))
    optimizer = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(optimizer))
    weight, found = keras.Variable(np.full((2, 2), 8.0, "float32")), []
    for _ in range(5):
        found.append(float(optimizer.weight_decay))
        optimizer.apply([tf.zeros((2, 2))], [weight])
    np.testing.assert_allclose(found, 0.5 - 0.25 * np.cos(np.pi * np.arange(5) / 4), rtol=1e-6)


@pytest.mark.parametrize("name, rate", [("sgd", 0.5), ("adamw", 0.5)])
def test_a_scheduled_weight_decay_is_that_of_the_step(name, rate):
    optimizer = make(
        name, rate, WarmupCosine(0.25, total_steps=2, final=0.75), **{"momentum": 0.0} if name == "sgd" else {}
    )
    weight, norm = keras.Variable(np.ones((2, 2), "float32")), keras.Variable(np.ones(2, "float32"))
    for decay in (0.25, 0.5, 0.75):
        before = np.array(weight)
        optimizer.apply([tf.zeros((2, 2)), tf.zeros(2)], [weight, norm])
        np.testing.assert_allclose(weight, before * (1 - rate * decay), rtol=1e-5)
    np.testing.assert_array_equal(norm, np.ones(2))


def test_muon_takes_no_schedule_of_weight_decay():
    with pytest.raises(ValueError, match="muon decays with a constant"):
        make("muon", 0.1, WarmupCosine(0.1, 4))


def test_own_arguments_are_in_the_config():
    assert (
        LARS(0.1, 0.8, 0.2, 0.02, True).get_config().items()
        >= {
            "momentum": 0.8,
            "weight_decay": 0.2,
            "trust_coefficient": 0.02,
            "classic_momentum": True,
        }.items()
    )
    assert LAMB(0.1, beta_2=0.95, epsilon=1e-8).get_config().items() >= {"beta_2": 0.95, "epsilon": 1e-8}.items()


@pytest.mark.parametrize("name", ["lars", "lamb", "sgd", "adamw"])
def test_a_saved_model_goes_on_training_as_if_nothing_had_happened(name, tmp_path):
    model = small_model()
    model.compile(make(name, WarmupCosine(0.1, 20, 2), weight_decay=0.1), "mse")
    model.fit(X, Y, batch_size=8, shuffle=False, verbose=0)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    for each in (model, again):
        each.fit(X, Y, batch_size=8, shuffle=False, epochs=2, verbose=0)
    for ours, theirs in zip(model.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("name", ["lars", "lamb", "sgd"])
def test_loss_scaling_changes_nothing(name):
    plain, scaled = keras.Variable(W0.astype("float32")), keras.Variable(W0.astype("float32"))
    wrapped = keras.optimizers.LossScaleOptimizer(make(name, 0.1, weight_decay=0.1), initial_scale=1024.0)
    direct = make(name, 0.1, weight_decay=0.1)
    for gradient in GRADIENTS:
        direct.apply([tf.constant(gradient, "float32")], [plain])
        wrapped.apply([tf.constant(1024 * gradient, "float32")], [scaled])
    wrapped.apply([tf.constant(np.inf * GRADIENTS[0], "float32")], [scaled])  # a step that is skipped
    np.testing.assert_allclose(plain.numpy(), scaled.numpy(), rtol=1e-5)


@pytest.mark.parametrize("name", ["lars", "lamb", "sgd"])
def test_half_precision_weights_get_a_step_computed_in_single(name):
    variable = keras.Variable(np.full((300, 300), 2.0), dtype="float16")  # its squares sum to more than float16 holds
    make(name, 0.5, weight_decay=0.1).apply([tf.fill((300, 300), tf.constant(1.0, "float16"))], [variable])
    assert variable.dtype == "float16"
    assert np.all(np.isfinite(variable.numpy()))
    assert np.all(variable.numpy() < 2)


@pytest.mark.parametrize("name", ["lars", "lamb", "sgd"])
def test_sparse_gradients_of_embeddings_step_like_dense_ones(name):
    dense, sparse = keras.Variable(W0.astype("float32")), keras.Variable(W0.astype("float32"))
    rows = tf.constant(GRADIENTS[0][:1], "float32")
    make(name, 0.1, weight_decay=0.1).apply([tf.concat([tf.zeros((2, 4)), rows], 0)], [dense])
    make(name, 0.1, weight_decay=0.1).apply([tf.IndexedSlices(rows, tf.constant([2]), tf.constant([3, 4]))], [sparse])
    np.testing.assert_allclose(dense.numpy(), sparse.numpy(), rtol=1e-6)


def fitted_weights(name, **settings):
    model = small_model()
    model.compile(make(name, WarmupCosine(0.5, 8, 2), **settings), "mse")
    model.fit(tf.data.Dataset.from_tensor_slices((X, Y)).batch(8), epochs=3, verbose=0)
    return model.get_weights()


@pytest.mark.long
@pytest.mark.parametrize(
    "name, settings",
    [
        ("lars", {"weight_decay": 0.1}),
        ("lamb", {"weight_decay": WarmupCosine(0.1, 8, final=0.4)}),
        ("sgd", {"clipnorm": 0.05}),
        ("sgd", {"global_clipnorm": 0.05}),
        ("adamw", {"clipvalue": 0.01, "weight_decay": WarmupCosine(0.1, 8, final=0.4)}),
    ],
)
def test_two_replicas_step_like_one(mirrored, name, settings):
    alone = fitted_weights(name, **settings)
    with mirrored.scope():
        together = fitted_weights(name, **settings)
    for ours, theirs in zip(together, alone, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-6)
    untouched = fitted_weights(name)
    assert max(np.abs(a - b).max() for a, b in zip(alone, untouched, strict=True)) > 1e-4, "the settings act"


def test_warm_up_rises_in_equal_steps_and_the_cosine_falls_to_the_end():
    schedule = WarmupCosine(2.0, total_steps=20, warmup_steps=5, final=0.2)
    values = np.array([float(schedule(step)) for step in range(21)])
    np.testing.assert_allclose(values[:6], [0.4, 0.8, 1.2, 1.6, 2.0, 2.0], rtol=1e-6)
    assert np.all(np.diff(values[5:]) < 0)
    assert values[20] == pytest.approx(0.2)
    assert values[12] == pytest.approx(0.2 + 0.9 * (1 + math.cos(math.pi * 7 / 15)), rel=1e-5)


def test_the_schedule_is_a_pure_function_of_the_step():
    schedule = WarmupCosine(1.0, 10)
    assert float(schedule(0)) == 1.0
    forwards, backwards = (
        [float(schedule(tf.constant(s, "int64"))) for s in order] for order in (range(10), range(9, -1, -1))
    )
    assert forwards == backwards[::-1]
    assert float(schedule(10)) == float(schedule(1000)) == pytest.approx(0.0, abs=1e-7)
    assert float(WarmupCosine(1.0, 4, 4)(3)) == 1.0


@pytest.mark.parametrize("steps", [(0, 0), (10, 11), (10, -1)])
def test_a_warm_up_that_does_not_fit_is_refused(steps):
    with pytest.raises(ValueError, match="does not fit into"):
        WarmupCosine(1.0, *steps)


def test_learning_rates_scale_by_rule_and_say_so():
    assert scaled_learning_rate(0.3, 512) == (0.6, "learning rate 0.3 x 512/256 = 0.6 (linear in the batch size)")
    value, line = scaled_learning_rate(1.2, 4096, "sqrt")
    assert value == pytest.approx(0.075 * math.sqrt(4096))
    assert line == "learning rate 1.2 x sqrt(4096/256) = 4.8 (square root of the batch size)"
    assert scaled_learning_rate(0.1, 64, "none") == (0.1, "learning rate 0.1 (whatever the batch size)")
    with pytest.raises(ValueError, match="choose one of linear, sqrt, none"):
        scaled_learning_rate(0.1, 64, "cubic")


def test_a_misspelt_optimizer_is_answered_with_the_nearest():
    with pytest.raises(ValueError, match="'larz'.*did you mean lars") as error:
        make("larz", 0.1)
    assert "\n" not in str(error.value)


def test_make_knows_ours_under_the_papers_names():
    assert [type(make(name, 1)) for name in ("lars", "LAMB", "Sgd")] == [LARS, LAMB, SGD]
    assert make("sgd", 1).momentum == 0.9
    assert make("adamw", 0.1, beta_2=0.95).beta_2 == 0.95
    assert isinstance(make("AdamW", 0.1), keras.optimizers.AdamW)
