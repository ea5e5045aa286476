"""R3M: frames of a clip are closer the closer they are in time, and a sentence fits the clip that it describes."""

from keras import ops

from sslzoo.layers.heads import plain_mlp
from sslzoo.layers.regions import each
from sslzoo.layers.text import token_count, word_means
from sslzoo.losses import language_contrast, size_penalty, time_contrast
from sslzoo.model import SSLModel
from sslzoo.utils.replicas import gather

SCORE_LAYERS = 4  # hidden layers of the score


class R3M(SSLModel):
    """Time-contrastive learning on videos, with a penalty of the norms of the features.

    Of three frames of a clip, the one between is closer to each end than the other end is, and than frames of other
    clips are. The features of the encoder are trained as they are.

    With language_weight above 0, a network scores how well the change from the first frame of an episode to another
    frame fits the sentence of the episode, its mission. Later frames of the episode get a higher score than earlier
    ones, and than frames of other clips; of these the batch may hold some of the same episode. The paper's sentences
    are features of a pretrained DistilBERT; here they are means of random vectors of words, which are not trained. In
    the paper the first and the last frame are drawn from the first and the last fifth.

    Args:
        encoder: functional or sequential model, images (batch, height, width, channels) -> features (batch, features).
        negatives: int, frames of other clips for each frame, 1 or more.
        l1_weight: float, weight of the mean L1 norm of the features, which makes them sparse.
        l2_weight: float, weight of their mean L2 norm.
        language_weight: float, weight of the term for sentences; 0 for none, 1 in the paper.
        hidden_dim: int, width of the four hidden layers of the score.
        text_dim: int, width of the vectors of words.
        text_length: int, words of a sentence; longer ones are cut.
        word_count: int, maximum number of different words.
        vocabulary: the words, most frequent first, as pretraining finds them.

    Raises:
        ValueError: if there are no negatives, or no words for the sentences.
    """

    paper = "https://arxiv.org/abs/2203.12601"
    use = "videos without actions, such as those of people at work"
    batch = 32
    views = "same_crop"
    relation = "clip"
    kinds = ("image",)

    def __init__(
        self,
        encoder,
        negatives: int = 3,
        l1_weight: float = 1e-5,
        l2_weight: float = 1e-5,
        language_weight: float = 0.0,
        hidden_dim: int = 1024,
        text_dim: int = 768,
        text_length: int = 77,
        word_count: int = 49408,
        vocabulary: tuple = (),
        **kwargs,
    ):
        super().__init__(encoder, **kwargs)
        if negatives < 1:
            raise ValueError(f"negatives must be at least 1, got {negatives}")
        self.negatives, self.l1_weight, self.l2_weight = negatives, l1_weight, l2_weight
        self.language_weight, self.hidden_dim = language_weight, hidden_dim
        self.text_dim, self.text_length = text_dim, text_length
        self.word_count, self.vocabulary = word_count, tuple(vocabulary)
        self.captions = language_weight > 0
        if self.captions:
            self.sentence = word_means(token_count("words", vocabulary), text_length, text_dim, name="sentence")
            width = 2 * encoder.output_shape[-1] + text_dim
            self.score = plain_mlp(width, hidden_dim, 1, SCORE_LAYERS, name="score")

    def call(self, batch, training=False):
        between, earlier, later, *ends = self.together(batch["views"], self.embed)
        drawn = self.uniform((ops.shape(between)[0], self.negatives), 0, training=training)
        outputs = dict(z_a=earlier, z_b=between, later=later, drawn=drawn, valid=batch["valid"][:, 0])
        if self.captions:
            tokens = batch["text"][:, 0]
            told = ops.cast(ops.any(tokens > 0, axis=1), "float32")
            outputs |= dict(first=ends[0], last=ends[1], sentence=self.sentence(tokens), told=told)
        return outputs

    def objective(self, z_a, z_b, later, drawn, valid, **language):
        earlier, between, later, drawn, valid = map(gather, (z_a, z_b, later, drawn, valid))
        orders = ops.transpose(ops.argsort(drawn, axis=0))
        loss = time_contrast(earlier, between, later, orders, valid)
        frames, counted = ops.concatenate([earlier, between, later]), ops.tile(valid, (3,))
        loss += size_penalty(frames, counted, l1_weight=self.l1_weight, l2_weight=self.l2_weight)
        if not self.captions:
            return loss
        first, last, sentence, told = (gather(language[name]) for name in ("first", "last", "sentence", "told"))
        ahead, behind = ops.stack([last, between, later], axis=1), ops.stack([first, earlier, between], axis=1)
        others = [
            self.scores(ops.take(first, order, axis=0), ops.take(ahead, order, axis=0), sentence)
            for order in ops.unstack(orders, axis=0)
        ]
        scores = (self.scores(first, frames, sentence) for frames in (ahead, behind))
        return loss + self.language_weight * language_contrast(*scores, ops.stack(others, axis=-1), told, valid)

    def scores(self, first, frames, sentence):
        """How well the change from a first frame (n, dim) to other frames (n, k, dim) fits a sentence: (n, k)."""
        first, sentence = (ops.repeat(one[:, None], frames.shape[1], axis=1) for one in (first, sentence))
        return each(self.score, ops.concatenate([first, frames, sentence], axis=-1))[..., 0]
