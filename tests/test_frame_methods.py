"""Methods of frames: their formulas in NumPy, what is masked, and encoders of reinforcement learning."""

import keras
import numpy as np
import pytest

from sslzoo import encoders, losses, methods
from sslzoo.layers.dynamics import MinMax, closed_loop, open_loop, transition
from sslzoo.layers.maps import with_map
from sslzoo.testing import miniatures
from sslzoo.testing.method_checks import (
    check_checkpoints,
    check_config,
    check_gradients,
    check_learning,
    check_precision,
    check_replicas,
    check_saving,
)

RNG = np.random.default_rng(0)
N, DIM = 6, 5


def log_softmax(logits):
    logits = logits - logits.max(axis=-1, keepdims=True)
    return logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))


def test_bilinear_info_nce_ignores_anchors_that_are_not_valid():
    z_a, z_b, weight = RNG.normal(size=(N, DIM)), RNG.normal(size=(N, DIM)), RNG.normal(size=(DIM, DIM))
    logits = z_a @ weight @ z_b.T
    each = -np.diag(log_softmax(logits))
    valid = np.array([1, 0, 1, 1, 0, 1])
    z_a, z_b, weight = (np.float32(one) for one in (z_a, z_b, weight))
    assert float(losses.bilinear_info_nce(z_a, z_b, weight)) == pytest.approx(each.mean(), rel=1e-5)
    assert float(losses.bilinear_info_nce(z_a, z_b, weight, valid)) == pytest.approx(each[valid == 1].mean(), rel=1e-5)
    assert float(losses.bilinear_info_nce(z_a, z_b, weight, valid * 0)) == 0
    assert float(losses.bilinear_info_nce(z_a, z_b, weight * 0)) == pytest.approx(np.log(N), rel=1e-6)


def test_curl_starts_with_weights_in_0_to_1_and_updates_its_keys_every_second_step():
    model = miniatures.build("curl", ema_rate=0.5)
    weight = keras.ops.convert_to_numpy(model.similarity)
    assert 0 <= weight.min() < 0.05 and 0.95 < weight.max() < 1
    target = model.target.copies[0].weights[0]
    states = [keras.ops.convert_to_numpy(target)]
    for _ in range(4):
        miniatures.losses_of(model, 1)
        states.append(keras.ops.convert_to_numpy(target))
    moved = [not np.array_equal(before, after) for before, after in zip(states, states[1:], strict=False)]
    assert moved == [False, True, False, True]
    online = keras.ops.convert_to_numpy(model.encoder.weights[0])
    np.testing.assert_allclose(states[4], states[3] + 0.5 * (online - states[3]), rtol=1e-4, atol=1e-6)


def test_curl_contrasts_features_as_they_are():
    model = miniatures.build("curl")
    batch = miniatures.batch(model)
    outputs = model(batch, training=False)
    query, key = (np.asarray(outputs[name], "float64") for name in ("z_a", "z_b"))
    np.testing.assert_allclose(query, model.encoder(batch["views"][0]), rtol=1e-5)
    each = -np.diag(log_softmax(query @ np.asarray(model.similarity, "float64") @ key.T))
    assert float(model.objective(**outputs)) == pytest.approx(each.mean(), rel=1e-4)


def test_encoders_have_the_sizes_of_the_papers():
    curl = encoders.make("conv_rl", (84, 84, 9))
    assert curl.get_layer("relu4").output.shape == (None, 35, 35, 32)
    assert curl.count_params() == 1_990_518 and curl.output_shape == (None, 50)
    nature = encoders.make("nature_conv", (84, 84, 4))
    assert nature.get_layer("relu3").output.shape == (None, 7, 7, 64)
    assert nature.count_params() == 77_984 and nature.output_shape == (None, 3136)


@pytest.mark.parametrize("name, side", [("conv_rl", 14), ("nature_conv", 35)])
def test_frames_that_are_too_small_are_refused(name, side):
    with pytest.raises(ValueError, match=f"{name} takes frames of {side + 1} x {side + 1} px or more"):
        encoders.make(name, (side, side, 3))
    assert encoders.make(name, (side + 1, side + 1, 3)).output_shape[-1] >= 32


@pytest.mark.parametrize("name", ["curl", "atc", "st_dim", "spr"])
def test_default_encoders_exist(name):
    assert methods.find(name).default_encoder in dir(encoders)


def normal(*shape):
    return RNG.normal(size=shape).astype("float32")


def test_places_are_contrasted_with_the_same_place_of_other_frames():
    predictions, targets, valid = normal(N, 4, DIM), normal(N, 4, DIM), np.array([1, 1, 0, 1, 0, 1])
    total = 0.0
    for place in range(4):
        for row in np.flatnonzero(valid):
            logits = [predictions[row, place] @ targets[other, place] for other in range(N)]
            total -= log_softmax(np.float64(logits))[row]
    expected = total / 4 / valid.sum()
    assert float(losses.place_info_nce(predictions, targets, valid)) == pytest.approx(expected, rel=1e-5)
    assert float(losses.place_info_nce(predictions, targets * 0)) == pytest.approx(np.log(N), rel=1e-6)


def test_latent_prediction_is_a_sum_over_steps_and_nothing_after_the_end():
    predictions, targets = normal(N, 3, DIM), normal(N, 3, DIM)
    valid = np.array([[1, 1, 1], [1, 1, 0], [1, 0, 0], [0, 0, 0], [1, 1, 1], [1, 1, 1]])
    total = 0.0
    for row in range(N):
        for step in range(3):
            p, z = predictions[row, step], targets[row, step]
            total += valid[row, step] * (2 - 2 * p @ z / np.linalg.norm(p) / np.linalg.norm(z))
    assert float(losses.latent_prediction(predictions, targets, valid)) == pytest.approx(total / N, rel=1e-5)
    assert float(losses.latent_prediction(predictions, 3 * predictions)) == pytest.approx(0, abs=1e-6)
    across = np.stack([predictions[..., 1], -predictions[..., 0], *[0 * predictions[..., 0]] * 3], -1)
    flat = predictions * [1, 1, 0, 0, 0]
    assert float(losses.latent_prediction(np.float32(flat), across)) == pytest.approx(2 * 3, rel=1e-5)


@pytest.mark.parametrize("negatives", [0, 3])
def test_vip_is_its_formula(negatives):
    start, goal, before, after = (normal(N, DIM) for _ in range(4))
    valid, orders = np.array([1, 0, 1, 1, 1, 1]), np.stack([RNG.permutation(N) for _ in range(negatives or 1)])
    value = lambda one, other: -np.linalg.norm(np.float64(one) - other)  # noqa: E731
    rows = np.flatnonzero(valid)
    gamma = 0.9
    expected = (1 - gamma) * np.mean([-value(start[row], goal[row]) for row in rows])
    error = lambda one, row: np.exp(-(-1 + gamma * value(after[one], goal[row]) - value(before[one], goal[row])))  # noqa: E731
    expected += np.log(np.mean([error(row, row) for row in rows]))
    if negatives:
        pairs = [(order[row], row) for order in orders for row in rows if valid[order[row]]]
        expected += np.log(np.mean([error(*pair) for pair in pairs]))
    given = orders if negatives else None
    assert float(losses.vip(start, goal, before, after, valid, given, discount=gamma)) == pytest.approx(
        expected, rel=1e-5
    )


def test_vip_of_equal_embeddings_is_one_and_of_a_straight_line_falls_with_the_distance():
    same = np.ones((N, DIM), "float32")
    orders = np.arange(N)[None]
    assert float(losses.vip(same, same, same, same, discount=0.98)) == pytest.approx(1, abs=1e-5)
    assert float(losses.vip(same, same, same, same, None, orders, discount=0.98)) == pytest.approx(2, abs=1e-5)
    step = np.eye(DIM, dtype="float32")[:1]
    steps = np.arange(1, N + 1, dtype="float32")[:, None] * step
    before, after, goal = -steps, step - steps, 0 * steps  # k and k - 1 steps of length 1 from the goal
    expected = np.log(np.mean(np.exp(-0.02 * (np.arange(1, N + 1) - 1))))
    assert float(losses.vip(goal, goal, before, after, discount=0.98)) == pytest.approx(expected, abs=1e-5)
    assert expected < 0
    assert float(losses.vip(same, same, same, same, 0 * same[:, 0], orders, discount=0.98)) == 0


def test_time_contrast_is_its_formula_and_of_equal_embeddings_log_5():
    earlier, between, later = (normal(N, DIM) for _ in range(3))
    valid, orders = np.array([1, 1, 0, 1, 1, 1]), np.stack([RNG.permutation(N) for _ in range(3)])
    near = lambda one, other: np.exp(-np.linalg.norm(np.float64(one) - other))  # noqa: E731
    total = 0.0
    for row in np.flatnonzero(valid):
        for end, other in ((later, earlier), (earlier, later)):
            hit = near(end[row], between[row])
            rest = [near(end[row], end[order[row]]) for order in orders if valid[order[row]]]
            total -= np.log(hit / (hit + near(end[row], other[row]) + sum(rest)))
    found = losses.time_contrast(earlier, between, later, orders, valid)
    assert float(found) == pytest.approx(total / 2 / valid.sum(), rel=1e-5)
    same = np.ones((N, DIM), "float32")
    assert float(losses.time_contrast(same, same, same, orders)) == pytest.approx(np.log(5), rel=1e-5)


def test_distances_of_equal_embeddings_have_a_finite_gradient():
    import tensorflow as tf

    same = tf.Variable(np.ones((N, DIM), "float32"))
    with tf.GradientTape() as tape:
        loss = losses.time_contrast(same, same, same, np.arange(N)[None])
    assert np.isfinite(tape.gradient(loss, same)).all()


def test_the_size_penalty_is_a_mean_of_norms():
    z, valid = normal(N, DIM), np.array([1, 1, 0, 1, 1, 1])
    expected = np.mean([0.5 * np.abs(row).sum() + 0.2 * np.linalg.norm(row) for row in z[valid == 1]])
    assert float(losses.size_penalty(z, valid, l1_weight=0.5, l2_weight=0.2)) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("name", ["atc", "st_dim", "spr", "lewm", "vip", "r3m"])
def test_what_follows_the_end_of_an_episode_does_not_count(name):
    """The loss does not depend on the partners of frames that have none, except as negatives of others."""
    model = miniatures.build(name)
    batch = miniatures.batch(model)
    outputs = model(batch, training=False)
    ended = np.zeros_like(batch["valid"])
    nothing = float(model.objective(**outputs | {"valid": ended if outputs["valid"].shape.rank == 2 else ended[:, 0]}))
    assert nothing == pytest.approx(0, abs=1e-6)
    assert float(model.objective(**outputs)) != pytest.approx(0, abs=1e-3)


def test_atc_predicts_with_a_residual_and_its_target_does_not_pass_the_gradient():
    model = miniatures.build("atc")
    batch = miniatures.batch(model)
    outputs = model(batch, training=False)
    c = model.projector(model.encoder(batch["views"][0]))
    np.testing.assert_allclose(outputs["p_a"], c + model.predictor(c), rtol=1e-4, atol=1e-6)
    logits = np.float64(outputs["p_a"]) @ np.float64(model.similarity) @ np.float64(outputs["z_b"]).T
    rows = np.flatnonzero(batch["valid"][:, 0])
    expected = -np.diag(log_softmax(logits))[rows].mean()
    assert float(model.objective(**outputs)) == pytest.approx(expected, rel=1e-4)


def test_st_dim_adds_the_global_and_the_local_term():
    model = miniatures.build("st_dim")
    batch = miniatures.batch(model)
    before, frame = batch["views"]
    maps = [np.asarray(model.encoder_with_map(view)[0]).reshape(len(view), -1, 16) for view in (before, frame)]
    z = model.projector(model.encoder(frame))
    whole = np.tile(np.asarray(model.global_predictor(z))[:, None], (1, maps[0].shape[1], 1))
    valid = batch["valid"][:, 0]
    expected = losses.place_info_nce(whole, maps[0], valid)
    expected += losses.place_info_nce(model.local_predictor(maps[1]), maps[0], valid)
    assert float(model.objective(**model(batch, training=False))) == pytest.approx(float(expected), rel=1e-4)


def test_spr_unrolls_the_actions_and_copies_its_target():
    model = miniatures.build("spr", ema_rate=1.0)
    batch = miniatures.batch(model)
    outputs = model(batch, training=False)
    latent = model.latent(batch["views"][0])
    for step in range(2):
        latent = model.transition([latent, keras.ops.convert_to_tensor(batch["action"][:, step])])
        np.testing.assert_allclose(
            outputs["p"][:, step], model.predictor(model.projector(latent)), rtol=1e-3, atol=1e-5
        )
    other = dict(batch, action=batch["action"][:, :, ::-1])
    assert not np.allclose(model(other, training=False)["p"], outputs["p"], atol=1e-4)
    miniatures.losses_of(model, 2)
    for one, two in zip(model.latent.trainable_weights, model.target.copies[0].weights, strict=False):
        if one.name == "kernel":
            np.testing.assert_array_equal(one, two)
            break


def test_the_gradient_of_efficient_zero_is_halved_at_each_step():
    import tensorflow as tf

    sizes = []
    for share in (1.0, 0.5):
        model = miniatures.build("spr", state_gradient=share, horizon=1)
        batch = miniatures.batch(model)
        batch["views"], batch["valid"] = batch["views"][:2], np.ones((32, 1), "float32")
        with tf.GradientTape() as tape:
            loss = model.objective(**model(batch, training=False))
        sizes.append(np.asarray(tape.gradient(loss, model.encoder.trainable_weights[0])))
    np.testing.assert_allclose(sizes[1], 0.5 * sizes[0], rtol=1e-3, atol=1e-7)


def gru_cell(state, inputs, kernel, bias, recurrent_kernel, recurrent_bias):
    """A GRU cell in the order update, reset, candidate; the reset follows the recurrent product."""
    gates, recurrent = inputs @ kernel + bias, state @ recurrent_kernel + recurrent_bias
    (update, reset, change), (*old, memory) = np.split(gates, 3, axis=-1), np.split(recurrent, 3, axis=-1)
    update, reset = (1 / (1 + np.exp(-one - two)) for one, two in zip((update, reset), old, strict=True))
    return update * state + (1 - update) * np.tanh(change + reset * memory)


def randomized(network):
    """The weights of a network, drawn anew, so that biases are not 0; float64."""
    for weight in network.weights:
        weight.assign(normal(*weight.shape) / (weight.shape[0] ** 0.5 if len(weight.shape) == 2 else 2))
    return [np.float64(weight) for weight in network.weights]


def test_the_loops_of_byol_explore_are_the_gru_cell_of_keras():
    state, inputs = normal(N, DIM), normal(N, 3)
    cell = keras.layers.GRUCell(DIM)
    cell.build((None, 3))
    network = open_loop(3, DIM)
    recurrent_kernel, recurrent_bias, kernel, bias = randomized(network)
    cell.set_weights([kernel, recurrent_kernel, np.stack([bias, recurrent_bias])])
    np.testing.assert_allclose(network([state, inputs]), cell(inputs, [state])[0], rtol=1e-5, atol=1e-6)
    network, unused = closed_loop(3, DIM), np.zeros((3, DIM))
    keep, bias_keep, change, bias_change = randomized(network)
    bias = np.stack([np.concatenate([bias_keep, unused[0], bias_change]), np.zeros(3 * DIM)])
    cell.set_weights([np.concatenate([keep, unused, change], axis=1), recurrent_kernel, bias])
    np.testing.assert_allclose(network(inputs), cell(inputs, [0 * state])[0], rtol=1e-5, atol=1e-6)


def byol_explore():
    """A small model with a horizon of 3, a batch whose rows end after 3, 2, 1 and 0 steps, and its loss."""
    model = miniatures.build("spr", variant="byol_explore", horizon=3)
    batch = miniatures.batch(model)
    ends = np.arange(miniatures.COUNT)[:, None] % 4
    batch["valid"] = (np.arange(3) < 3 - ends).astype("float32")
    return model, batch, lambda **other: float(model.objective(**model(batch | other, training=False)))


def test_byol_explore_is_its_formula():
    """Two GRU cells, a predictor, normalized features of an EMA encoder and a mask, in NumPy."""
    model, batch, loss = byol_explore()
    for weight in model.target.copies[0].weights:  # another network than the encoder
        weight.assign(weight + 0.1 * np.abs(normal(*weight.shape)))
    kernel_keep, bias_keep, kernel_change, bias_change = randomized(model.start)
    recurrent_kernel, recurrent_bias, kernel, bias = randomized(model.transition)
    kernel_hidden, bias_hidden, kernel_out, bias_out = randomized(model.predictor)
    width, nothing = kernel_keep.shape[1], np.zeros_like(bias_keep)
    first_kernel = np.concatenate([kernel_keep, normal(*kernel_keep.shape), kernel_change], axis=1)
    first_bias = np.concatenate([bias_keep, nothing, bias_change])
    features = np.asarray(with_map(model.encoder)(batch["views"][0])[0], "float64").reshape(miniatures.COUNT, -1)
    zero = np.zeros((miniatures.COUNT, width))
    belief = gru_cell(zero, features, first_kernel, first_bias, normal(width, 3 * width), 0 * first_bias)
    total = 0.0
    for step in range(3):
        belief = gru_cell(belief, batch["action"][:, step], kernel, bias, recurrent_kernel, recurrent_bias)
        prediction = np.maximum(belief @ kernel_hidden + bias_hidden, 0) @ kernel_out + bias_out
        target = np.asarray(model.target.copies[0](batch["views"][1 + step]), "float64")
        cosine = (prediction * target).sum(1) / np.linalg.norm(prediction, axis=1) / np.linalg.norm(target, axis=1)
        total += np.sum(batch["valid"][:, step] * (2 - 2 * cosine))
    assert loss() == pytest.approx(total / miniatures.COUNT, rel=1e-4)


def test_byol_explore_ignores_actions_and_frames_after_the_end_of_an_episode():
    model, batch, loss = byol_explore()
    rng, ended = np.random.default_rng(1), batch["valid"] == 0
    action, views = batch["action"].copy(), [view.copy() for view in batch["views"]]
    action[:, :3][ended] = rng.normal(size=action[:, :3][ended].shape)
    action[:, 3:] = 5.0  # of the last frame
    for step in range(3):
        views[1 + step][ended[:, step]] = 0.5
    assert loss(action=action, views=tuple(views)) == pytest.approx(loss(), rel=1e-6)
    assert loss(action=batch["action"][:, ::-1]) != pytest.approx(loss(), rel=1e-4)
    assert loss(views=(batch["views"][0][::-1], *batch["views"][1:])) != pytest.approx(loss(), rel=1e-4)


QUICK = (check_gradients, check_saving, check_checkpoints)
SLOW = (check_config, check_replicas, check_learning, check_precision)


@pytest.mark.parametrize("check", QUICK, ids=lambda check: check.__name__)
def test_contract_of_byol_explore(check):
    check("spr", variant="byol_explore")


@pytest.mark.long
@pytest.mark.parametrize("check", QUICK, ids=lambda check: check.__name__)
def test_contract_of_efficient_zero(check):
    check("spr", variant="efficient_zero")


@pytest.mark.long
@pytest.mark.parametrize("variant", ["efficient_zero", "byol_explore"])
@pytest.mark.parametrize("check", SLOW, ids=lambda check: check.__name__)
def test_contract_of_training_of_the_variants_of_spr(check, variant, mirrored):
    check("spr", variant=variant)


def test_spr_refuses_an_encoder_that_would_stay_untrained():
    with pytest.raises(ValueError, match="conv_rl has weights behind its feature map: take an encoder such as nature"):
        methods.SPR(encoders.make("conv_rl", (16, 16, 3)), action_dim=2)


def test_latents_are_within_0_and_1_also_where_they_are_constant():
    x = np.concatenate([normal(3, 4, 4, 2), np.ones((1, 4, 4, 2), "float32")])
    found = np.asarray(MinMax()(x))
    np.testing.assert_allclose(found[:3].min((1, 2, 3)), 0, atol=1e-6)
    np.testing.assert_allclose(found[:3].max((1, 2, 3)), 1, atol=1e-4)
    assert (found[3] == 0).all()


def test_a_transition_places_the_action_everywhere():
    model = transition((4, 6, 2), 3, 8)
    action = np.eye(3, dtype="float32")
    planes = keras.Model(model.inputs, model.get_layer("hidden").input)([np.zeros((3, 4, 6, 2), "float32"), action])
    np.testing.assert_array_equal(planes[..., 2:], np.tile(action[:, None, None], (1, 4, 6, 1)))


@pytest.mark.long
@pytest.mark.parametrize("name", ["vip", "lewm"])
def test_an_export_ends_with_the_embedding_and_does_not_change_any_more(name):
    model = miniatures.build(name)
    images = miniatures.views(model)[0]
    kept = model.of_images(model.encoder)
    np.testing.assert_allclose(kept(images), model.embed(images), rtol=1e-4, atol=1e-5)
    head = kept.get_layer("embedding").get_weights()
    miniatures.losses_of(model, 1)
    np.testing.assert_array_equal(head[0], kept.get_layer("embedding").get_weights()[0])
    assert not np.array_equal(head[0], model.projector.get_weights()[0])
