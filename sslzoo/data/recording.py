"""Recording of environments: frames, actions, rewards and states of Gymnasium, Atari and MiniGrid as an .npz file."""

import contextlib
import importlib
import io
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from sslzoo.catalog.checked import checked
from sslzoo.catalog.knobs import nearest
from sslzoo.data.dataset import DataError
from sslzoo.data.images import resized
from sslzoo.utils.bars import bar
from sslzoo.utils.files import replacing

POLICIES = ("random", "expert")
INSTALL = "pip install 'sslzoo[rl]'"
PONG = {"player_y": 51, "enemy_y": 50, "ball_x": 49, "ball_y": 54}  # bytes of the RAM, as in AtariARI
TILE = 8  # pixels of a cell of MiniGrid


@checked()
def record(
    environment: str,
    out: str | Path,
    *,
    policy: str = "random",
    episodes: int = 20,
    max_steps: int = 500,
    frame_size: int | None = None,
    seed: int = 0,
    overwrite: bool = False,
) -> Path:
    """Records episodes of an environment; `data="episodes:OUT"` reads them.

    The file has frames, episode, action, reward and state. The state is that of the environment where it is known: the
    observation of classic control, four bytes of the RAM of Pong and all 128 of other games, position and direction of
    the agent of MiniGrid, which has missions too. Atari repeats no action at random.

    Args:
        environment: name of Gymnasium, such as "CartPole-v1", "ALE/Pong-v5" or "BabyAI-GoToLocal-v0".
        out: path of the .npz file.
        policy: "random" actions, or "expert", the bot of BabyAI, which solves its levels.
        episodes: number of episodes.
        max_steps: maximum number of frames of an episode.
        frame_size: side in pixels to which frames are resized; None keeps their size.
        seed: of the environment and of random actions.
        overwrite: replace the file if it exists.

    Raises:
        DataError: a package is missing, there is no such environment, or the file exists.
    """
    if policy not in POLICIES:
        raise DataError(nearest("policy", policy, POLICIES))
    out = Path(out).expanduser().with_suffix(".npz")
    if out.exists() and not overwrite:
        raise DataError(f"{out} exists: give another name, or overwrite=True")
    if not out.parent.is_dir():
        raise DataError(f"there is no folder {out.parent}: create it, or give another path")
    made = _made(environment)
    act = _policy(made, policy, environment, seed)
    parts = [_episode(made, act, seed + number, max_steps, frame_size) for number in bar(range(episodes), "episodes")]
    made.close()
    arrays = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    arrays["episode"] = np.repeat(np.arange(episodes), [len(part["frames"]) for part in parts])
    arrays["state_names"] = np.array(_state(made)[1])
    with replacing(out) as temporary, open(temporary, "wb") as file:
        np.savez_compressed(file, **arrays)
    return out


def _module(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise DataError(f"environments need the package {name} ({error}): {INSTALL}") from None


def _made(environment: str) -> Any:
    """The environment, whose frames are RGB."""
    os.environ.setdefault("SDL_VIDEODRIVER", "dummy")  # classic control draws without a screen
    gym = _module("gymnasium")
    atari, grid = environment.startswith("ALE/"), environment.startswith(("MiniGrid", "BabyAI"))
    if atari:
        gym.register_envs(_module("ale_py"))
    if grid:
        _module("minigrid")
    own = dict(obs_type="rgb", repeat_action_probability=0.0) if atari else dict(render_mode="rgb_array")
    try:
        with _silent():
            made = gym.make(environment, **own)
    except (gym.error.Error, ImportError, TypeError) as error:
        raise DataError(f"no environment {environment!r} ({str(error).splitlines()[0]}); {INSTALL}") from None
    return _module("minigrid.wrappers").RGBImgObsWrapper(made, tile_size=TILE) if grid else made


@contextlib.contextmanager
def _silent() -> Iterator[None]:
    """Generators of levels print what they reject."""
    with contextlib.redirect_stdout(io.StringIO()):
        yield


def _policy(made: Any, policy: str, environment: str, seed: int) -> Callable[[], Callable[[], int]]:
    """The function that starts an episode and returns the function of the next action."""
    made.action_space.seed(seed)
    if policy == "random":
        return lambda: made.action_space.sample
    if not environment.startswith("BabyAI"):
        raise DataError(f"policy='expert' is known for BabyAI alone, not for {environment}: give policy='random'")
    bot = _module("minigrid.utils.baby_ai_bot").BabyAIBot

    def start() -> Callable[[], int]:
        mind, last = bot(made.unwrapped), [None]

        def act() -> int:
            last[0] = mind.replan(last[0])
            return int(last[0])

        return act

    return start


def _episode(made: Any, policy: Callable, seed: int, max_steps: int, side: int | None) -> dict[str, np.ndarray]:
    found = {name: [] for name in ("frames", "action", "reward", "state")}
    with _silent():
        observed, _ = made.reset(seed=seed)
        act, ended = policy(), False
        while not ended and len(found["frames"]) < max_steps:
            action = act()
            found["frames"].append(_frame(made, observed, side))
            found["state"].append(_state(made, observed)[0])
            observed, reward, done, cut, _ = made.step(action)
            found["action"].append(action)
            found["reward"].append(reward)
            ended = done or cut
        if ended and len(found["frames"]) < max_steps:  # the frame that the last action leads to
            found["frames"].append(_frame(made, observed, side))
            found["state"].append(_state(made, observed)[0])
            found["action"].append(np.zeros_like(action))
            found["reward"].append(0.0)
    arrays = {name: np.asarray(column) for name, column in found.items()}
    arrays["reward"], arrays["state"] = arrays["reward"].astype("float32"), arrays["state"].astype("float32")
    if mission := getattr(made.unwrapped, "mission", None):
        arrays["mission"] = np.array([str(mission)] * len(arrays["frames"]))
    return arrays


def _frame(made: Any, observed: Any, side: int | None) -> np.ndarray:
    frame = observed["image"] if isinstance(observed, dict) else observed
    frame = frame if np.ndim(frame) == 3 else made.render()
    return frame if side is None else resized(np.asarray(frame), side, side)


def _state(made: Any, observed: Any = None) -> tuple[list[float], tuple[str, ...]]:
    """The known state of an environment, and the names of its variables."""
    inner = made.unwrapped
    if hasattr(inner, "ale"):
        ram = inner.ale.getRAM()
        names = PONG if "pong" in made.spec.id.lower() else {f"ram_{place}": place for place in range(len(ram))}
        return [float(ram[place]) for place in names.values()], tuple(names)
    if hasattr(inner, "agent_pos"):
        return [*map(float, inner.agent_pos), float(inner.agent_dir)], ("agent_x", "agent_y", "agent_direction")
    width = int(np.prod(made.observation_space.shape))
    values = [] if observed is None else [float(one) for one in np.ravel(observed)]
    return values if width <= 64 else [], tuple(f"observation_{k}" for k in range(width if width <= 64 else 0))
