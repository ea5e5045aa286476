"""
An agent on frozen features
===========================

VIP is trained on videos of an agent that walks to a goal, without its actions. Two agents then act on its frozen
features. The first tries each action in a copy of the environment and takes the one whose frame is nearest to a picture
of the goal, by the distance of features. The second is a small network, trained to imitate the actions of the videos.
Both play on the trained and the untrained encoder, and on pixels.
"""

# %%
# The videos. The agent is red, the goal green. The floor differs between episodes, and the white ball has nothing to do
# with the goal.
import copy
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import sslzoo
from sslzoo.data.moving_dot import MOVES, MovingDot

EPOCHS = 25
VIDEOS, GAMES, STEPS = 300, 100, 30


def video(rng):
    game, frames, actions = MovingDot(rng), [], []
    while not game.reached:
        frames.append(game.frame())
        actions.append(game.expert())
        game.step(actions[-1])
    return np.stack([*frames, game.frame()]), actions


rng = np.random.default_rng(0)
videos, actions = zip(*(video(rng) for _ in range(VIDEOS)), strict=True)
episode = np.repeat(np.arange(VIDEOS), [len(one) for one in videos])
data = sslzoo.data.load_episodes({"frames": np.concatenate(videos), "episode": episode})
figure, axes = plt.subplots(1, 6, figsize=(9, 1.8))
for axis, frame in zip(axes, np.concatenate(videos), strict=False):
    axis.imshow(frame)
    axis.axis("off")
plt.show()

# %%
# The training: minus the distance of the embeddings of a frame and of the goal becomes the value of the frame.
folder = Path(tempfile.mkdtemp())
result = sslzoo.pretrain(
    "vip", data, "conv_rl", width=0.5, epochs=EPOCHS, batch_size=64, projection_dim=64, min_scale=0.8,
    optimizer="adam", learning_rate=0.001, learning_rate_rule="none", weight_decay=0.0,
    evaluate=False, export_to=None, runs=folder, name="agent",
)
print("loss", result.history["loss"][0], "->", result.history["loss"][-1])


# %%
# The first agent. Ties, as of pixels far from the goal, are broken at random.
def pictures(games):
    return np.stack([game.frame() for game in games]) / np.float32(255)


def goals(games):
    """Pictures of the games with the agent at the goal."""
    there = copy.deepcopy(games)
    for game in there:
        game.agent = game.goal
    return pictures(there)


def after(games, action):
    """The games after an action of each."""
    tried = copy.deepcopy(games)
    for game in tried:
        game.step(action)
    return tried


def play(features, rng):
    """Whether an agent that decreases the distance of features reaches the goal, in each of GAMES new games."""
    games, reached = [MovingDot(rng) for _ in range(GAMES)], np.zeros(GAMES, bool)
    wanted = features(goals(games))
    for _ in range(STEPS):
        tried = [after(games, action) for action in range(len(MOVES))]
        distances = np.array([np.linalg.norm(features(pictures(some)) - wanted, axis=1) for some in tried])
        chosen = np.argmin(distances + 1e-6 * rng.random(distances.shape), axis=0)
        games = [tried[action][number] for number, action in enumerate(chosen)]
        reached |= [game.reached for game in games]
    return reached


arms = {
    "trained": lambda images: result.encoder(images).numpy(),
    "untrained": lambda images: result.untrained(images).numpy(),
    "raw pixels": lambda images: images.reshape(len(images), -1),
    "random": lambda images: np.zeros((len(images), 1)),
}
found = {name: play(features, np.random.default_rng(1)) for name, features in arms.items()}


# %%
# The second agent sees the features of a frame and of the goal, and draws its action from what it predicts.
def imitator(features):
    """A classifier of the actions of the videos, trained on frozen features."""
    seen = np.concatenate([frames[:-1] for frames in videos]) / np.float32(255)
    ends = np.concatenate([np.repeat(frames[-1:], len(frames) - 1, axis=0) for frames in videos]) / np.float32(255)
    network = MLPClassifier(64, early_stopping=True, max_iter=100, random_state=0)
    x = np.hstack([features(seen), features(ends)])
    return make_pipeline(StandardScaler(), network).fit(x, np.concatenate(actions))


def imitate(features, rng):
    """Whether the imitating agent reaches the goal, in each of GAMES new games."""
    agent, games, reached = imitator(features), [MovingDot(rng) for _ in range(GAMES)], np.zeros(GAMES, bool)
    wanted = features(goals(games))
    for _ in range(STEPS):
        chances = agent.predict_proba(np.hstack([features(pictures(games)), wanted]))
        for game, chance in zip(games, chances, strict=True):
            game.step(int(rng.choice(agent.classes_, p=chance)))
        reached |= [game.reached for game in games]
    return reached


imitated = {name: imitate(features, np.random.default_rng(1)) for name, features in arms.items()}

# %%
# The share of games in which the goal is reached, with a 95 % interval.
agents = {"nearest to the goal": found, "imitation": imitated}
rates = {title: {name: one.mean() for name, one in games.items()} for title, games in agents.items()}
figure, axes = plt.subplots(1, 2, figsize=(9, 1.8), layout="constrained", sharex=True, sharey=True)
for axis, (title, shares) in zip(axes, rates.items(), strict=True):
    errors = {name: 1.96 * np.sqrt(rate * (1 - rate) / GAMES) for name, rate in shares.items()}
    for name, rate in shares.items():
        print(f"{title:20} {name:12} {rate:.2f} +- {errors[name]:.2f}")
    axis.barh(list(shares), list(shares.values()), xerr=list(errors.values()))
    axis.set(title=title, xlabel="games in which the goal is reached")
plt.show()

assert all(max(shares, key=shares.get) == "trained" for shares in rates.values()), rates
