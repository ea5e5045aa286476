"""Pieces of words, as BERT's WordPiece: their vocabulary, and texts as their numbers by TensorFlow alone."""

import string
from collections import Counter
from collections.abc import Sequence

import keras
from keras import layers

CONTINUED = "##"  # precedes the pieces of a word after the first
LONGEST = 100  # letters of a word; longer ones are unknown
INSTALL = "pip install 'sslzoo[text]'"


def fit_pieces(texts: Sequence[str], size: int) -> tuple[str, ...]:
    """The frequent pieces of the words of some texts, by the trainer of WordPiece in the package tokenizers.

    First are the letters, the most frequent first, each as the first of a word and as a later one; every word of these
    has pieces. Pieces of several letters follow, in the order of their merges: the trainer merges the most frequent
    pair of neighbours, as byte pair encoding does, while it occurs twice. Equal texts give equal pieces.

    Args:
        texts: of the training part.
        size: int, maximum number of pieces, the end of a text and the unknown word included.

    Raises:
        ValueError: the package is not installed.
    """
    try:
        import tokenizers
    except ImportError:
        raise ValueError(f"a tokenizer of pieces is fitted by the package tokenizers: {INSTALL}") from None
    words = Counter(word for text in texts for word in words_of(text) if len(word) <= LONGEST)
    letters = Counter()
    for word, count in words.items():
        letters.update(dict.fromkeys(word, count))
    known = sorted(letters, key=lambda letter: (-letters[letter], letter))[: max(1, (size - 2) // 2)]
    # Without these as the first tokens, the order of letters within words differs between two runs of the trainer.
    first = [prefix + letter for letter in known for prefix in ("", CONTINUED)]
    options = dict(vocab_size=size - 2, min_frequency=2, special_tokens=first, show_progress=False)
    tool = tokenizers.Tokenizer(tokenizers.models.WordPiece())
    words = Counter({word: count for word, count in words.items() if {*word} <= {*known}})
    tool.train_from_iterator(words.elements(), tokenizers.trainers.WordPieceTrainer(**options))
    number = tool.get_vocab()
    return tuple(sorted(number, key=number.get))


def words_of(text: str) -> list[str]:
    """The words of a text, as `keras.layers.TextVectorization` splits it: without case and punctuation of ASCII."""
    plain = text.encode().lower().translate(None, string.punctuation.encode())
    return [word.decode() for word in plain.split()]


@keras.saving.register_keras_serializable("sslzoo")
class Pieces(layers.Layer):
    """Texts to numbers of pieces: strings (n,) -> int (n, length), 0 after the end; longer texts are cut.

    A word is divided from its start, each time by the longest piece that is known (BERT, arXiv 1810.04805, and Wu et
    al., 1609.08144). A word with a rest that no piece begins is the unknown word, 1, as a whole.

    Args:
        length: int, number of tokens.
        vocabulary: the pieces, as of `fit_pieces`; those after the first of a word begin with "##".
    """

    def __init__(self, length: int, vocabulary: Sequence[str], **kwargs):
        super().__init__(**kwargs)
        self.length, self.vocabulary = length, list(vocabulary)
        self.numbers = layers.StringLookup(vocabulary=self.vocabulary, mask_token="")
        self.longest = max(len(piece.removeprefix(CONTINUED)) for piece in self.vocabulary)
        self.built = True

    def call(self, texts):
        import tensorflow as tf

        words = tf.strings.split(tf.strings.regex_replace(tf.strings.lower(texts), "[[:punct:]]", ""))
        different, places = tf.unique(words.flat_values)
        pieces = words.with_flat_values(tf.gather(self.matched(different), places))
        return pieces.merge_dims(1, 2).to_tensor(0, shape=(None, self.length))

    def matched(self, words):
        """The pieces of words by the greedy longest match: strings (n,) -> ragged ints (n, pieces)."""
        import tensorflow as tf

        sizes = tf.range(1, self.longest + 1)

        def divided(prefix, rest, found):
            letters = tf.strings.length(rest, "UTF8_CHAR")
            starts = tf.strings.substr(rest[:, None], 0 * sizes[None], sizes[None], "UTF8_CHAR")
            numbers = self.numbers(tf.strings.join([prefix, starts]))
            size = tf.reduce_max(tf.where(numbers > 1, sizes, 0), axis=1)
            number = tf.gather(numbers, tf.maximum(size - 1, 0), batch_dims=1)
            number = tf.where(rest == "", tf.zeros_like(number), number)
            size = tf.where(size > 0, tf.minimum(size, letters), letters)
            rest = tf.strings.substr(rest, size, letters - size, "UTF8_CHAR")
            return tf.constant(CONTINUED), rest, tf.concat([found, number[:, None]], axis=1)

        long = tf.strings.length(words, "UTF8_CHAR") > LONGEST
        start = tf.constant(""), tf.where(long, "", words), tf.cast(long, tf.int64)[:, None]
        shapes = tf.TensorShape([]), tf.TensorShape([None]), tf.TensorShape([None, None])
        *_, found = tf.while_loop(lambda _, rest, found: tf.reduce_any(rest != ""), divided, start, shapes)
        unknown = tf.reduce_any(found == 1, axis=1, keepdims=True)
        found = tf.concat([tf.cast(unknown, tf.int64), tf.where(unknown, tf.zeros_like(found), found)], axis=1)
        return tf.ragged.boolean_mask(found, found > 0)

    def compute_output_spec(self, texts):
        return keras.KerasTensor((texts.shape[0], self.length), "int64")

    def get_config(self):
        return super().get_config() | dict(length=self.length, vocabulary=self.vocabulary)
