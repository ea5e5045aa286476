"""Texts: sources, the tokenizer of the training part, views, baselines, and the way from strings to features."""

import dataclasses
import json

import numpy as np
import pytest
import tensorflow as tf

import sslzoo
from sslzoo.data import DataError, load
from sslzoo.data import text_sources as sources
from sslzoo.evaluators import words
from sslzoo.exports.sklearn import EncoderTransformer
from sslzoo.layers.text import Tokenizer, spelled
from sslzoo.testing import check_dataset
from sslzoo.views import of_text
from sslzoo.views.text import Delete, Span, TextView, fitted, moved_up

RNG = np.random.default_rng(0)
ANIMALS, TOOLS = "cat dog fox hen owl".split(), "saw axe awl nut rod".split()


def corpus(count=60):
    """Texts of two classes with words of their own between common ones, and the names of the classes."""
    classes = ["animal" if number % 2 else "tool" for number in range(count)]
    own = [ANIMALS if name == "animal" else TOOLS for name in classes]
    return [" ".join(("the", *RNG.choice(some, 4), "is", f"n{k}")) for k, some in enumerate(own)], classes


def test_a_list_with_labels_is_divided_and_its_words_are_those_of_the_training_part():
    texts, classes = corpus()
    train, test = load((texts, classes), kind="text")
    assert (len(train), len(test)) == (48, 12) and train.class_names == ("animal", "tool")
    known = train.columns[0]["vocabulary"]
    assert known[:2] in (["the", "is"], ["is", "the"])
    only_test = {text.split()[-1] for text in test.texts}
    assert not only_test & set(known) and test.columns == train.columns
    for text, tokens in zip(train.texts, train.arrays()[0], strict=True):
        assert [known[token - 2] for token in tokens if token] == text.split()
    assert np.all(test.arrays()[0][:, 6] == 1), "a word that is in the test part alone is the unknown word"
    check_dataset(train)


def test_files_of_lines_columns_and_objects_hold_the_same_texts(tmp_path):
    texts, classes = corpus(20)
    (tmp_path / "a.txt").write_text("\n".join(["", *texts, "  "]), "utf-8")
    lines = [f'"{text}",{name},{number}' for number, (text, name) in enumerate(zip(texts, classes, strict=True))]
    (tmp_path / "a.csv").write_text("\n".join(["text,class,number", *lines]), "utf-8")
    rows = [json.dumps({"topic": name, "gloss": text}) for text, name in zip(texts, classes, strict=True)]
    (tmp_path / "a.jsonl").write_text("\n".join(rows), "utf-8")
    assert list(load(tmp_path / "a.txt").train.texts) == texts
    found = load(tmp_path / "a.csv", kind="text")
    assert sorted((*found.train.texts, *found.test.texts)) == sorted(texts)
    found = load(tmp_path / "a.jsonl", labels="topic")
    assert found.train.class_names == ("animal", "tool") and len(found.train) == 16
    for text, label in zip(found.test.texts, found.test.labels, strict=True):
        assert found.train.class_names[label] == classes[texts.index(text)]


def test_parts_next_to_each_other_are_training_and_test(tmp_path):
    for part, text in (("train", "a b"), ("test", "c d")):
        (tmp_path / f"x_{part}.csv").write_text(f"text,label\n{text},1\n{text} e,2\n", "utf-8")
    train, test = load(tmp_path / "x_train.csv", kind="text")
    assert train.texts == ("a b", "a b e") and test.texts == ("c d", "c d e")


@pytest.mark.parametrize(
    "data, labels, line",
    [
        (["a", 3], "auto", "data is a list, which holds no texts"),
        ([], "auto", "data is a list, which holds no texts"),
        ((["a", "b"], [1]), "auto", "2 texts and 1 labels"),
        ("nothing.txt", "auto", "there is no file nothing.txt"),
        ("text:fortune", "auto", "did you mean fortunes"),
        (["a", "b"], "topic", "labels='topic': for files"),
        (["...", "!"], "auto", "has no words"),
    ],
)
def test_what_is_no_text_is_refused_in_one_line(data, labels, line):
    with pytest.raises(DataError, match=line) as caught:
        load(data, kind="text", labels=labels)
    assert "\n" not in str(caught.value)


def test_a_table_whose_column_of_texts_is_not_known_is_refused(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"a": "x", "b": "y"}\n', "utf-8")
    with pytest.raises(DataError, match="has the columns a, b: call that of the texts 'text'"):
        load(tmp_path / "a.jsonl")
    with pytest.raises(DataError, match="no column of labels 'c'"):
        load(tmp_path / "a.jsonl", labels="c")


def test_packages_that_are_missing_are_named(monkeypatch, tmp_path):
    monkeypatch.setattr(sources, "FORTUNES", tmp_path)
    monkeypatch.setattr(sources, "WORDNET", tmp_path)
    with pytest.raises(DataError, match="apt install fortunes"):
        load("text:fortunes")
    with pytest.raises(DataError, match="apt install wordnet-base"):
        load("text:wordnet")


def test_fortunes_are_read_up_to_the_percent_sign(monkeypatch, tmp_path):
    monkeypatch.setattr(sources, "FORTUNES", tmp_path)
    monkeypatch.setattr(sources, "FEWEST", 2)
    (tmp_path / "a").write_text("one two\nthree\n%\nfour\n%\n", "utf-8")
    (tmp_path / "a.dat").write_bytes(b"\0")
    (tmp_path / "b").write_text("alone\n", "utf-8")
    assert sources.read("text:fortunes").texts == {"train": ("one two\nthree", "four")}


def test_glosses_have_the_class_of_their_lexicographer_file(monkeypatch, tmp_path):
    monkeypatch.setattr(sources, "WORDNET", tmp_path)
    line = '02084071 05 n 01 dog 0 001 @ 02083346 n 0000 | a member of the genus; "it barked"  \n'
    (tmp_path / "data.noun").write_text("  1 licence | x\n" + line, "utf-8")
    found = sources.read("text:wordnet")
    assert found.texts["train"] == ('a member of the genus; "it barked"',) and found.labels["train"] == ("animal",)


def test_views_keep_the_order_of_the_words():
    text = tf.constant([[5, 0, 7, 8, 0, 9], [0, 0, 0, 0, 0, 0]])
    np.testing.assert_array_equal(moved_up(text), [[5, 7, 8, 9, 0, 0], [0] * 6])
    np.testing.assert_array_equal(fitted(text, 8)[0], [5, 0, 7, 8, 0, 9, 0, 0])
    long = tf.constant([[2, 3, 4, 5, 6, 7, 8, 9, 0, 0]])
    some = Delete(0.5).change(long, {"noise": tf.constant([[0.1, 0.6, 0.7, 0.2, 0.9, 0.1, 0.5, 0.3, 0.9, 0.9]])})
    np.testing.assert_array_equal(some, [[3, 4, 6, 8, 0, 0, 0, 0, 0, 0]])
    one = Delete(1.0).change(long, {"noise": tf.constant([[0.1, 0.6, 0.7, 0.2, 0.9, 0.1, 0.5, 0.3, 0.99, 0.99]])})
    np.testing.assert_array_equal(one, [[6] + [0] * 9])
    for place, first in ((0.0, 2), (0.999, 4)):
        span = Span(0.7).change(long, {"place": tf.constant([[place]])})
        np.testing.assert_array_equal(span[0], [*range(first, first + 6), 0, 0, 0, 0])


def test_a_contact_sheet_shows_words(tmp_path, monkeypatch):
    shown, drawing = {}, of_text._lines
    monkeypatch.setattr(of_text, "_lines", lambda lines, path: (shown.update(lines=lines), drawing(lines, path)))
    texts = ["a cat sat", "a dog sat", "a bird sat", "a cat and a dog"]
    data = load(texts, kind="text").train
    batch = next(iter(data.batches(4, drop_remainder=False)))
    first = texts[int(batch["index"][0])]
    chain = [TextView([Delete(0.5)], 5)]
    of_text.draw(chain, batch, tmp_path / "views.png", data)
    original, *views = shown["lines"][:3]
    assert original == ("original", first) and [title for title, _ in views] == ["view a 1", "view a 2"]
    for _, line in views:
        left = iter(first.split())
        assert line and all(word in left for word in line.split()), (
            "the words of a view are those of the text, in order"
        )
    of_text.draw(lambda batch: {"views": (batch["text"],)}, batch, tmp_path / "views.png", data)
    assert shown["lines"][1] == ("view a 1", first)
    unknown = dataclasses.replace(data, columns=None)
    of_text.draw(chain, batch, tmp_path / "views.png", unknown)
    assert all(word.isdigit() for word in shown["lines"][0][1].split())


def test_tokens_are_spelled_by_their_tokenizer():
    tokens = Tokenizer("words", 5, ("dog", "a"))(tf.constant(["A dog, a cat"]))
    assert spelled(tokens.numpy()[0], "words", ("dog", "a")) == "a dog a [?]"
    tokens = Tokenizer("bytes", 9)(tf.constant(["grün €"]))
    assert spelled(tokens.numpy()[0], "bytes") == "grün €"


def test_tf_idf_is_the_formula():
    tokens = np.array([[2, 2, 3, 0], [3, 4, 1, 0], [3, 0, 0, 0]])
    counts = words.counted(tokens, 5).toarray()
    np.testing.assert_array_equal(counts[:, 2:], [[2, 1, 0], [0, 1, 1], [0, 1, 0]])
    assert not counts[:, :2].any()
    texts = np.tile([[2, 3, 0], [4, 3, 0]], (20, 1))
    found = words.tf_idf(texts, np.arange(40) % 2, np.array([[3, 4, 0], [2, 0, 0]]))
    np.testing.assert_array_equal(found.labels, [[1, 0]])


@pytest.mark.long
def test_strings_become_features_by_the_tokenizer_of_the_export(tmp_path):
    texts, classes = corpus(80)
    options = dict(kind="text", epochs=1, batch_size=16, runs=str(tmp_path / "runs"), export_to=str(tmp_path))
    small = dict(dim=16, depth=1, heads=2, evaluate=False)
    first = sslzoo.pretrain("mlm", (texts, classes), name="first", **small, **options)
    encoder = sslzoo.load_encoder(first.exported)
    facts = json.loads((tmp_path / "first" / "recipe.json").read_text("utf-8"))
    told = facts["encoder"]
    assert told["kind"] == "text" and told["schema"]["vocabulary"] == encoder.get_layer("words").vocabulary
    assert max(facts["loads"].values()) < 1e-5
    tokens = encoder.get_layer("words").tokenizer(tf.constant(texts))
    expected = encoder(tokens).numpy()
    transformer = EncoderTransformer(tmp_path / "first").fit(texts)
    np.testing.assert_allclose(transformer.transform(texts), expected, atol=1e-5)
    (tmp_path / "a.txt").write_text("\n".join(reversed(texts)), "utf-8")
    sslzoo.embed(tmp_path / "first", str(tmp_path / "a.txt"), str(tmp_path / "a.npz"))
    np.testing.assert_allclose(np.load(tmp_path / "a.npz")["features"], expected[::-1], atol=1e-5)
    scores = sslzoo.evaluate(str(tmp_path / "first"), (texts, classes), evaluators=("linear",), fractions=(1.0,))
    known = {row.features: row.mean for row in scores}
    assert known["TF-IDF"] > 0.9 and {"trained", "untrained", "TF-IDF", "LSA"} <= known.keys()
    other = [text.upper() for text in texts[:40]]
    start = tmp_path / "first"  # its tokenizer, not one of the new texts
    again = sslzoo.pretrain("sim_cse", other, start_from=start, name="second", evaluate=False, **options)
    assert sslzoo.load_encoder(again.exported).get_layer("words").vocabulary == encoder.get_layer("words").vocabulary
    moved = sslzoo.load_encoder(again.exported)(tokens).numpy()
    assert 0 < np.abs(moved - expected).max() < 1, "the training goes on from the given weights"
