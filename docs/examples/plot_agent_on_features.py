"""
An agent on frozen features
===========================

Videos of an agent that walks to a goal, without its actions, train VIP. A few demonstrations with actions then train a
linear policy on the frozen features, which is played in new episodes, next to the same policy on pixels.
"""

# %%
# The videos: frames and the numbers of their episodes. The agent is red, the goal green. The floor differs between
# episodes, and the white ball has nothing to do with the task.
import copy
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import sslzoo
from sslzoo.data.moving_dot import MOVES, MovingDot, moving_dot

VIDEOS, EPOCHS, DEMONSTRATIONS, GAMES, STEPS = 150, 12, 20, 200, 30
folder = Path(tempfile.mkdtemp())
videos = {name: column for name, column in moving_dot(VIDEOS).items() if name in ("frames", "episode")}
figure, axes = plt.subplots(1, 6, figsize=(9, 1.8))
for axis, frame in zip(axes, videos["frames"][:24:4], strict=True):
    axis.imshow(frame)
    axis.axis("off")
plt.show()

# %%
# VIP: minus the distance of the embeddings of a frame and of a goal is the value of the frame.
result = sslzoo.pretrain(
    "vip", sslzoo.data.load_episodes(videos), "conv_rl", width=0.5, epochs=EPOCHS, batch_size=64, projection_dim=64,
    min_scale=0.8, optimizer="adam", learning_rate=0.001, learning_rate_rule="none", weight_decay=0.0,
    evaluate=False, export_to=None, runs=folder, name="agent",
)
print(result.history["loss"][0], result.history["loss"][-1])


# %%
# The policy sees the difference of the features of the goal and of the frame. The picture of the goal shows the agent
# there. It imitates the actions of an expert.
def seen(features, games):
    """What a policy sees of games: (games, dim)."""
    there = [copy.copy(game) for game in games]
    for game in there:
        game.agent = game.goal
    frames, goals = (np.stack([game.frame() for game in some]) / np.float32(255) for some in (games, there))
    return features(goals) - features(frames)


def demonstrations(features, rng):
    """Inputs of a policy and the actions of the expert, in games of which some steps are random."""
    games, x, actions = [MovingDot(rng) for _ in range(DEMONSTRATIONS)], [], []
    for _ in range(STEPS):
        x.append(seen(features, games))
        actions += [game.expert() for game in games]
        for game in games:
            game.step(game.expert() if rng.random() < 0.7 else rng.integers(len(MOVES)))
    return np.concatenate(x), np.array(actions)


def successes(features, policy, rng):
    """Whether a policy reaches the goal, in each of GAMES new games."""
    games, reached = [MovingDot(rng) for _ in range(GAMES)], np.zeros(GAMES, bool)
    for _ in range(STEPS):
        for game, action in zip(games, policy.predict(seen(features, games)), strict=True):
            game.step(action)
        reached |= [game.reached for game in games]
    return reached


# %%
# All three policies learn from the same demonstrations and play the same games. The intervals are those of a share.
arms = {
    "trained": lambda images: result.encoder.predict(images, verbose=0),
    "untrained": lambda images: result.untrained.predict(images, verbose=0),
    "raw pixels": lambda images: images.reshape(len(images), -1),
}
found = {}
for name, features in arms.items():
    policy = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=1000))
    policy.fit(*demonstrations(features, np.random.default_rng(1)))
    found[name] = successes(features, policy, np.random.default_rng(2))
    rate = found[name].mean()
    print(f"{name:12} {rate:.3f} +- {1.96 * np.sqrt(rate * (1 - rate) / GAMES):.3f}")
