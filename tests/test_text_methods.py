"""MLM and SimCSE: their losses against the papers in NumPy, what dropout does, and their contract."""

import numpy as np
import pytest
from families import spread

from sslzoo import methods
from sslzoo.layers.drop_path import drawing
from sslzoo.testing import miniatures
from sslzoo.testing.small_texts import texts


def test_mlm_chooses_a_share_of_the_tokens_and_replaces_four_of_five():
    model = miniatures.build("mlm", mask_ratio=0.25)
    text = np.concatenate([texts(400), np.zeros((1, 12), "int32"), [[5] + [0] * 11]]).astype("int32")
    chosen, weights = map(np.asarray, model._chosen(text, None))
    lengths, counts = (text > 0).sum(1), weights.sum(1)
    np.testing.assert_array_equal(counts, np.where(lengths, np.maximum(1, np.round(0.25 * lengths)), 0))
    assert all(len(set(row)) == len(row) for row in chosen) and np.all(np.take_along_axis(text, chosen, 1)[weights > 0])
    hidden = np.asarray(model._hidden(text, chosen, weights, None))
    touched = np.zeros(text.shape, bool)
    for row, places, used in zip(touched, chosen, weights, strict=True):
        row[places[used > 0]] = True
    np.testing.assert_array_equal(hidden[~touched], text[~touched])
    before, after, mask = text[touched], hidden[touched], model.words.mask
    masked, kept = np.mean(after == mask), np.mean(after == before)
    assert abs(masked - 0.8) < 0.05 and abs(kept - 0.1) < 0.04, (masked, kept)
    assert after[after != mask].min() >= 1 and after.max() == mask and abs(1 - masked - kept - 0.1) < 0.04


def test_mlm_is_the_cross_entropy_of_the_chosen_tokens_by_tied_embeddings():
    model = miniatures.build("mlm")
    model.bias.assign(np.random.default_rng(1).normal(size=model.bias.shape))
    batch = miniatures.batch(model)
    text = batch["views"][0]
    chosen, weights = map(np.asarray, model._chosen(text, None))
    states = np.asarray(model.states(np.asarray(model._hidden(text, chosen, weights, None))))
    embeddings, bias, total = np.asarray(model.words.embeddings), np.asarray(model.bias), []
    for row in range(len(text)):
        for place, weight in zip(chosen[row], weights[row], strict=True):
            if weight:
                logits = np.asarray(model.head(states[row, place][None, None]))[0, 0] @ embeddings.T + bias
                total.append(np.log(np.exp(logits).sum()) - logits[text[row, place]])
    np.testing.assert_allclose(model.objective(**model(batch)), np.mean(total), rtol=1e-4)


def test_mlm_sees_nothing_of_a_masked_token():
    model = miniatures.build("mlm")
    text = miniatures.batch(model)["views"][0]
    chosen, weights = model._chosen(text, None)
    model.uniform = lambda shape, draw, **options: np.zeros(tuple(shape), "float32")  # every chosen token is masked
    other = text.copy()
    for row, places, used in zip(other, np.asarray(chosen), np.asarray(weights), strict=True):
        row[places[used > 0]] = 2 + (row[places[used > 0]] - 1) % 20
    one, two = (np.asarray(model._hidden(x, chosen, weights, None)) for x in (text, other))
    assert np.any(text != other)
    np.testing.assert_array_equal(one, two)


def test_sim_cse_is_one_direction_of_info_nce_on_two_passes():
    model = miniatures.build("sim_cse", temperature=0.1)
    rng = np.random.default_rng(0)
    z_a, z_b = rng.normal(size=(2, 7, 16))
    a, b = (z / np.linalg.norm(z, axis=1, keepdims=True) for z in (z_a, z_b))
    expected = np.mean([np.log(np.exp(a[i] @ b.T / 0.1).sum()) - a[i] @ b[i] / 0.1 for i in range(7)])
    np.testing.assert_allclose(model.objective(z_a.astype("float32"), z_b.astype("float32")), expected, rtol=1e-5)
    features = np.asarray(model.encoder(miniatures.batch(model)["views"][0]))
    kernel, bias = map(np.asarray, model.projector.weights)
    embedded = np.asarray(model.embed(miniatures.batch(model)["views"][0]))
    np.testing.assert_allclose(embedded, np.tanh(features @ kernel + bias), atol=1e-5)
    assert model.exported() is model.encoder


def test_two_passes_of_sim_cse_differ_by_dropout_in_training_alone():
    model = miniatures.build("sim_cse")
    batch = miniatures.batch(model)
    still = model(batch, training=False)
    np.testing.assert_array_equal(still["z_a"], still["z_b"])
    with drawing(model.uniform):
        moving = model(batch, training=True)
    assert np.abs(np.asarray(moving["z_a"]) - moving["z_b"]).max() > 1e-2
    with drawing(model.uniform):
        np.testing.assert_array_equal(model(batch, training=True)["z_a"], moving["z_a"])


def test_the_end_of_a_text_is_not_seen():
    encoder = miniatures.worded()
    text = texts(4)
    short = text.copy()
    short[0, 6:] = 0
    alone = np.asarray(encoder(short))[0]
    weights = encoder.get_layer("words").positions
    weights.assign(np.asarray(weights) + np.arange(12)[:, None] // 6)  # of the places after the end
    np.testing.assert_allclose(np.asarray(encoder(short))[0], alone, atol=1e-5)


@pytest.mark.parametrize("name", spread(["mlm", "sim_cse"]))
def test_an_encoder_of_another_kind_is_refused(name):
    with pytest.raises(ValueError, match=f"{name} needs an encoder of texts such as text_transformer"):
        methods.find(name)(miniatures.residual())
