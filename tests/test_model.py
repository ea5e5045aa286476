"""The seams of SSLModel, which methods build on."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import sslzoo
from sslzoo import methods
from sslzoo.testing.miniatures import batch, build, residual


class Bare(sslzoo.SSLModel):
    """Without a projector, with state."""

    def __init__(self, encoder, **kwargs):
        super().__init__(encoder, **kwargs)
        self.centre = self.add_state("centre", (3,), "ones")

    def call(self, batch):
        return dict(z_a=2 * self.embed(batch["views"][0]))


def test_embed_is_the_projector_on_the_encoder_or_the_features():
    image = batch(build("simclr"))["views"][0]
    model = build("simclr")
    np.testing.assert_allclose(model.embed(image), model.projector(model.encoder(image)), atol=1e-6)
    bare = Bare(residual())
    np.testing.assert_array_equal(bare.embed(image), bare.encoder(image))
    assert bare.exported() is bare.encoder


def test_embedded_views_are_outputs_of_call_or_embeddings():
    bare = Bare(residual())
    data = batch(bare)
    z_a, z_b = bare.embedded_views(data)
    np.testing.assert_allclose(z_a, 2 * bare.encoder(data["views"][0]), atol=1e-6)
    np.testing.assert_allclose(z_b, bare.encoder(data["views"][1]), atol=1e-6)


@pytest.mark.parametrize("name, calls", [("autoencoder", 1), ("inst_disc", 1), ("smog", 1), ("msn", 1), ("simclr", 1)])
def test_no_forward_pass_of_a_training_step_is_for_monitors(name, calls, monkeypatch):
    model, seen = build(name), []
    encode = model.encode
    monkeypatch.setattr(type(model), "encode", lambda self, inputs: seen.append(1) or encode(inputs))
    model(batch(model), training=True)
    assert len(seen) == calls


def test_steps_are_counted_from_compile_on():
    model = methods.SimCLR(residual(), hidden_dim=8, projection_dim=4)
    assert int(model.step) == 0 and model.step.dtype == "int32" and float(model.progress) == 0
    model.compile("sgd")
    model.optimizer.iterations.assign(3)
    model.total_steps = 12
    assert int(model.step) == model.steps_done == 3 and float(model.progress) == 0.25
    model.optimizer.iterations.assign(30)
    assert float(model.progress) == 1


def test_state_is_float32_not_trainable_and_in_checkpoints(tmp_path):
    with_half = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_float16")
    try:
        bare = Bare(residual())
    finally:
        keras.config.set_dtype_policy(with_half)
    assert bare.centre.dtype == "float32" and not any(bare.centre is weight for weight in bare.trainable_weights)
    bare.centre.assign([1, 2, 3])
    path = tf.train.Checkpoint(model=bare).write(str(tmp_path / "state"))
    bare.centre.assign([0, 0, 0])
    tf.train.Checkpoint(model=bare).read(path)
    np.testing.assert_array_equal(bare.centre, [1, 2, 3])
    assert "centre/.ATTRIBUTES/VARIABLE_VALUE" in "".join(name for name, _ in tf.train.list_variables(path))


def test_random_numbers_are_a_function_of_seed_step_draw_and_row(mirrored):
    model = build("simclr")
    first = np.array(model.uniform((6, 4), 0))
    assert np.array_equal(first, model.uniform((6, 4), 0)) and 0 <= first.min() < first.max() < 1
    others = [model.uniform((6, 4), 1)]
    model.seed = 1
    others.append(model.uniform((6, 4), 0))
    model.seed = 0
    model.optimizer.iterations.assign(1)
    others.append(model.uniform((6, 4), 0))
    assert not any(np.array_equal(first, other) for other in others)
    model.optimizer.iterations.assign(0)
    with mirrored.scope():
        of_two = build("simclr")
    rows = mirrored.experimental_local_results(mirrored.run(lambda: of_two.uniform((3, 4), 0)))
    np.testing.assert_array_equal(np.concatenate(rows), first)
    for copy in mirrored.experimental_local_results(mirrored.run(lambda: of_two.uniform((6, 4), 0, everywhere=True))):
        np.testing.assert_array_equal(copy, first)


def test_a_large_seed_is_a_seed():
    model = build("simclr")
    model.seed = 2**31 - 1
    assert np.isfinite(model.uniform((2, 2), 3)).all()
