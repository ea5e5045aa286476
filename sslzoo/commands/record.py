"""Record episodes of Gymnasium, Atari, MiniGrid or BabyAI as an .npz file; --data episodes:FILE reads it."""

from sslzoo.commands import call


def run(words: list[str]) -> None:
    place = dict(metavar="ENV", help="name of the environment, such as ALE/Pong-v5 or BabyAI-GoToLocal-v0")
    print(f"wrote {call('data.recording:record', words, 'record', {'environment': place})}")
