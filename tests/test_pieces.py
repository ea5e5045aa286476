"""Pieces of words: their vocabulary, the longest match, and the way through trainings and exports."""

import importlib.util
import json
import random
import string
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

import sslzoo
from sslzoo.data import DataError, Splits, load
from sslzoo.data import text_sources as sources
from sslzoo.data.captions import Captions
from sslzoo.data.made import in_memory
from sslzoo.data.selection import hold_out
from sslzoo.exports.sklearn import EncoderTransformer
from sslzoo.exports.text import export_text, load_text, tower_of
from sslzoo.layers.pieces import LONGEST, Pieces, fit_pieces, words_of
from sslzoo.layers.text import Tokenizer, fit_vocabulary, spelled, token_count
from sslzoo.testing import miniatures
from sslzoo.views import of_text

INSTALLED = importlib.util.find_spec("tokenizers") is not None
needs_tokenizers = pytest.mark.skipif(not INSTALLED, reason="needs pip install 'sslzoo[text]'")
RNG = np.random.default_rng(0)
SMALL = "un ##aff ##able ##a ##ble able the ##s run ##n ##ning é ##ü 漢 ##字 ##字字 a 1 ##2".split()
GOLDEN = {
    "unaffable": "un ##aff ##able",
    "The able runs, running!": "the able run ##s run ##ning",
    "unable xyz run": "un ##able [UNK] run",
    "unaffx a": "[UNK] a",
    "able affable": "able [UNK]",
    "ünaff éü 漢字字字字 漢": "[UNK] é ##ü 漢 ##字字 ##字字 漢",
    "ü 字": "[UNK] [UNK]",
    "a-run 12 1\t1\n1": "[UNK] 1 ##2 1 1 1",
    "": "",
    " ?! \n": "",
    "a" + "s" * (LONGEST - 1): "a" + " ##s" * (LONGEST - 1),
    "a" + "s" * LONGEST + " a": "[UNK] a",
}
# Words of a few stems and endings, each of which is left out of the training part with some of its partners.
STEMS, ENDINGS = "walk talk jump climb paint".split(), ["", "s", "ed", "ing", "er"]


def corpus(count=60):
    words = [stem + end for stem in STEMS for end in ENDINGS]
    return [" ".join(("the", *RNG.choice(words, 4))) for _ in range(count)]


def numbered(texts, vocabulary, length=128):
    return Tokenizer("pieces", length, vocabulary)(tf.constant(texts)).numpy()


def test_pieces_are_the_longest_from_the_start_and_a_word_with_an_unknown_rest_is_unknown():
    known = {"[UNK]": 1} | {piece: number for number, piece in enumerate(SMALL, start=2)}
    for row, expected in zip(numbered([*GOLDEN], SMALL), GOLDEN.values(), strict=True):
        assert row[row > 0].tolist() == [known[piece] for piece in expected.split()], expected
        count = np.count_nonzero(row)
        assert not row[count:].any(), "0 follows the end alone"


def test_longer_texts_are_cut_and_no_texts_are_no_rows():
    found = numbered(["runs running", "the"], SMALL, 3)
    assert found.dtype == np.int32 and found.tolist() == [[10, 9, 10], [8, 0, 0]]
    assert numbered(tf.zeros((0,), tf.string), SMALL, 3).shape == (0, 3)
    assert numbered(["", "  "], SMALL, 3).tolist() == [[0] * 3] * 2
    assert numbered([b"\xff\xfe the"], SMALL, 3).tolist() == [[1, 8, 0]], "bytes that are no UTF-8"


def test_pieces_are_spelled_as_words():
    tokens = numbered(["The runs: éü 漢字字, xyz 12"], SMALL, 20)[0]
    assert spelled(tokens, "pieces", SMALL) == "the runs éü 漢字字 [?] 12"
    assert token_count("pieces", SMALL) == 2 + len(SMALL)
    with pytest.raises(ValueError, match="a tokenizer of pieces needs a vocabulary"):
        Tokenizer("pieces", 4)


def test_words_are_those_of_keras():
    every = "".join(map(chr, range(1, 128)))
    texts = [every, " ".join(every), "Ä ß\u00a0x É, don't re-use", "a\u2003b \x0bc\x0c d"]
    layer = keras.layers.TextVectorization()
    layer.adapt(tf.constant(texts))
    assert {*layer.get_vocabulary(include_special_tokens=False)} == {word for text in texts for word in words_of(text)}
    assert numbered([every], [*string.ascii_lowercase, *(f"##{c}" for c in string.printable)]).max() > 0


@pytest.mark.long
def test_a_saved_model_of_pieces_takes_strings_in_tensorflow_alone(tmp_path):
    texts = keras.Input((), dtype="string")
    model = keras.Model(texts, Tokenizer("pieces", 8, SMALL)(texts))
    expected = model(tf.constant([*GOLDEN])).numpy()
    root = tf.train.Checkpoint(model=model)
    spec = [tf.TensorSpec([None], tf.string)]
    root.__call__ = tf.function(lambda texts: model(texts), input_signature=spec)
    tf.saved_model.save(root, str(tmp_path / "saved"))
    model.save(tmp_path / "model.keras")
    np.testing.assert_array_equal(keras.saving.load_model(tmp_path / "model.keras")(tf.constant([*GOLDEN])), expected)
    (tmp_path / "texts.json").write_text(json.dumps([*GOLDEN]), "utf-8")
    plain = (
        "import json, sys, tensorflow as tf; from pathlib import Path; folder = Path(sys.argv[1]);"
        "texts = json.loads((folder / 'texts.json').read_text('utf-8'));"
        "found = tf.saved_model.load(str(folder / 'saved'))(tf.constant(texts)).numpy().tolist();"
        "assert 'sslzoo' not in sys.modules and 'tokenizers' not in sys.modules;"
        "(folder / 'found.json').write_text(json.dumps(found))"
    )
    subprocess.run([sys.executable, "-c", plain, str(tmp_path)], check=True, capture_output=True, cwd=tmp_path)
    np.testing.assert_array_equal(json.loads((tmp_path / "found.json").read_text()), expected)


def test_a_text_tower_of_pieces_is_the_same_everywhere(tmp_path):
    model = miniatures.build("clip", tokenizer="pieces", vocabulary=tuple(SMALL), text_length=8)
    assert export_text(tower_of(model), tmp_path) < 1e-6
    words = ["unaffable", "the able runs", "", "xyz"]
    expected = keras.ops.normalize(model.text(numbered(words, SMALL, 8)))
    np.testing.assert_allclose(load_text(tmp_path).of_texts(words), expected, atol=1e-6)
    np.testing.assert_allclose(tf.saved_model.load(str(tmp_path / "text"))(tf.constant(words)), expected, atol=1e-6)
    assert (tmp_path / "text" / "vocabulary.txt").read_text("utf-8").split() == SMALL


def test_a_missing_package_is_named_in_one_line(monkeypatch):
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    with pytest.raises(ValueError, match=r"pip install 'sslzoo\[text\]'$") as caught:
        load(corpus(), kind="text", tokenizer="pieces")
    assert "\n" not in str(caught.value)
    assert numbered(["the"], SMALL, 1).tolist() == [[8]], "pieces that are known need no package"


@needs_tokenizers
def test_pieces_are_those_of_the_package():
    import tokenizers

    try:
        texts = [text for text, _ in sources._wordnet()][::80][:1000]
    except DataError:
        texts = [f"{text} {k} é{k}ü 漢{k}字" for k, text in enumerate(corpus(1000))]
    texts += [*GOLDEN, "ünknöwn lëtters 漢字 ж", *string.printable]
    vocabulary = fit_pieces(texts[:500], 1000)
    numbers = {piece: number for number, piece in enumerate(["", "[UNK]", *vocabulary])}
    options = dict(unk_token="[UNK]", max_input_chars_per_word=LONGEST)
    tool = tokenizers.Tokenizer(tokenizers.models.WordPiece(numbers, **options))
    tool.pre_tokenizer = tokenizers.pre_tokenizers.CharDelimiterSplit(" ")
    found = numbered(texts, vocabulary)
    assert len(found) > 1000 and (found == 1).any() and (found[:500] > 1).any(axis=1).mean() > 0.9
    for text, row in zip(texts, found, strict=True):
        assert row[row > 0].tolist() == tool.encode(" ".join(words_of(text))).ids[:128], text


@needs_tokenizers
def test_equal_texts_have_equal_pieces_in_every_process_and_order():
    texts = corpus(300)
    first = fit_pieces(texts, 60)
    assert len(first) == 58 == len(set(first)) and fit_vocabulary(texts, 60, "pieces") == first
    assert first[:2] == ("e", "##e") or first[0] in "talkin", "the most frequent letters are first"
    code = (
        "import json, sys; from sslzoo.layers.pieces import fit_pieces;"
        "print(json.dumps(fit_pieces(json.load(sys.stdin), 60)))"
    )
    random.Random(0).shuffle(texts)
    run = dict(input=json.dumps(texts), text=True, check=True, capture_output=True, cwd=Path(__file__).parents[1])
    found = subprocess.run([sys.executable, "-c", code], **run).stdout
    assert tuple(json.loads(found.splitlines()[-1])) == first


@needs_tokenizers
def test_every_word_of_known_letters_has_pieces_and_the_size_is_kept():
    pieces = fit_pieces(["walked talked", "walking", "walks walks"], 1000)
    row = numbered(["klaws"], pieces, 9)[0]
    assert (row > 1).sum() > 1 and spelled(row, "pieces", pieces) == "klaws"
    assert "##ing" not in pieces and "##alk" in pieces, "a pair is merged while it occurs twice"
    few = fit_pieces(["ab abc abc", "漢字"], 8)
    assert few == ("a", "##a", "b", "##b", "c", "##c"), "the least frequent letters are left out"
    assert numbered(["abc 漢字"], few, 4).tolist() == [[2, 5, 7, 1]]


@needs_tokenizers
def test_texts_of_a_dataset_become_pieces_or_bytes():
    texts = corpus()
    for how, known in (("pieces", 2), ("bytes", 3)):
        train = load(texts, kind="text", tokenizer=how).train
        tokens, (column,) = train.arrays()[0], train.columns
        assert column["how"] == how and tokens.shape[1] == column["length"] >= 5
        lines = [spelled(row, how, column["vocabulary"]) for row in tokens]
        assert all(text.startswith(line) for text, line in zip(train.texts, lines, strict=True))
        assert np.mean(np.array(lines) == np.array(train.texts)) >= 0.9, "a few are cut"
        assert known < tokens.max() < of_text._count(train) <= 400
    assert load(texts, kind="text", tokenizer="words").train.columns == load(texts, kind="text").train.columns


@pytest.mark.parametrize(
    "given, line",
    [
        (dict(data=["a b"], kind="text", tokenizer="piece"), "no tokenizer 'piece': did you mean pieces"),
        (dict(data=np.zeros((4, 8, 8, 1), "uint8"), tokenizer="bytes"), "tokenizer=...: for texts that are read here"),
    ],
)
def test_a_tokenizer_that_cannot_be_is_refused_in_one_line(given, line):
    with pytest.raises(DataError, match=line):
        load(given.pop("data"), **given)


def test_a_method_without_texts_refuses_a_tokenizer(tmp_path):
    with pytest.raises(ValueError, match="tokenizer='bytes': for texts and captions, and simclr takes neither here"):
        sslzoo.pretrain("simclr", "digits", "mlp", tokenizer="bytes", runs=str(tmp_path), export_to=None)


@pytest.mark.long
@needs_tokenizers
def test_an_encoder_of_pieces_is_trained_exported_and_trained_further(tmp_path):
    options = dict(
        kind="text", epochs=1, batch_size=16, evaluate=False, export_to=str(tmp_path), runs=str(tmp_path / "runs")
    )
    first = sslzoo.pretrain("mlm", corpus(), name="first", tokenizer="pieces", dim=16, depth=1, heads=2, **options)
    encoder = sslzoo.load_encoder(first.exported)
    words = encoder.get_layer("words")
    facts = json.loads((tmp_path / "first" / "recipe.json").read_text("utf-8"))
    assert facts["encoder"]["schema"] == words.arguments and words.how == "pieces"
    unseen = ["climbers talking", "paintings", "?"]
    found = EncoderTransformer(tmp_path / "first").fit_transform(unseen)
    np.testing.assert_allclose(found, encoder(words.tokenizer(tf.constant(unseen))), atol=1e-5)
    with pytest.raises(ValueError, match="tokenizer='bytes': .* has been trained on pieces; leave it out"):
        sslzoo.pretrain("sim_cse", corpus(), tokenizer="bytes", start_from=tmp_path / "first", name="x", **options)
    again = sslzoo.pretrain("sim_cse", corpus(), start_from=tmp_path / "first", name="second", **options)
    assert sslzoo.load_encoder(again.exported).get_layer("words").arguments == words.arguments


@pytest.mark.long
@needs_tokenizers
def test_captions_become_pieces(tmp_path):
    captions = Captions(tuple((text,) for text in corpus(80)))
    images = RNG.integers(0, 255, (80, 8, 8, 3)).astype("uint8")
    data = Splits(*hold_out(in_memory("noise", images, captions=captions)))
    small = dict(text_dim=16, text_depth=1, text_heads=2, text_length=12, word_count=60, projection_dim=8, width=0.1)
    options = dict(
        image_size=8, epochs=1, batch_size=16, evaluate=False, export_to=str(tmp_path), runs=str(tmp_path / "runs")
    )
    result = sslzoo.pretrain("clip", data, "conv6", tokenizer="pieces", name="clip", **small, **options)
    tower = load_text(result.exported)
    layer = tower.embed.get_layer("tokenizer")
    assert layer.how == result.model.tokenizer == "pieces" and len(layer.vocabulary) == 58
    assert np.abs(np.diff(tower.of_texts(["climbs", "climber"]), axis=0)).max() > 1e-4


def test_pieces_are_a_layer_of_their_own():
    layer = Pieces(4, SMALL)
    again = Pieces.from_config(layer.get_config())
    np.testing.assert_array_equal(layer(tf.constant(["unable", "x"])), again(tf.constant(["unable", "x"])))
    assert layer.compute_output_spec(keras.KerasTensor((None,), "string")).shape == (None, 4)
