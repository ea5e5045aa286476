"""A small environment for tests and first trials: an agent walks to a goal past a bouncing ball."""

import numpy as np

SIDE, LENGTH, GRAY = 32, 24, 40  # pixels, frames of an episode, brightness of a plain floor
MOVES = np.array([[0, 0], [-2, 0], [2, 0], [0, -2], [0, 2]])  # of the agent in pixels, by action
STATE = ("agent_y", "agent_x", "ball_y", "ball_x", "goal_y", "goal_x")
MISSIONS = ("go to the upper goal", "go to the lower goal")


def moving_dot(episodes: int = 60, seed: int = 0, plain: bool = False) -> dict[str, np.ndarray]:
    """Records of the environment.

    The agent takes a step towards the goal with probability 0.7 and a random action otherwise.

    Args:
        episodes: number of episodes of LENGTH frames.
        seed: of everything that is random.
        plain: one gray floor for all episodes.

    Returns:
        The arrays that `episode_files.load_episodes` takes: frames uint8 (n, 32, 32, 3), episode, action, reward,
        state, state_names and mission.
    """
    rng = np.random.default_rng(seed)
    parts = [_episode(MovingDot(rng, plain)) for _ in range(episodes)]
    found = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    return found | {"episode": np.repeat(np.arange(episodes), LENGTH), "state_names": np.array(STATE)}


class MovingDot:
    """An episode of the environment.

    The agent is a red square, the goal a green one. The ball, a white square, moves independently of the agent. The
    floor differs between episodes, unless it is plain.

    Args:
        rng: of the floor and the places, and of random actions.
        plain: a gray floor.

    Attributes:
        state: float32 (6,), the variables of STATE, in pixels from the top or the left.
        reached: whether the agent is within a step of the goal.
    """

    def __init__(self, rng: np.random.Generator, plain: bool = False):
        self.rng = rng
        floor = rng.integers(0, 90, (4, 4, 3)).repeat(SIDE // 4, 0).repeat(SIDE // 4, 1)
        self.floor = np.full_like(floor, GRAY) if plain else floor
        self.agent, self.ball, self.goal = (rng.integers(2, SIDE - 4, 2) for _ in range(3))
        self.speed = rng.integers(1, 3, 2) * rng.choice([-1, 1], 2)

    @property
    def state(self) -> np.ndarray:
        return np.float32([*self.agent, *self.ball, *self.goal])

    @property
    def reached(self) -> bool:
        return bool(np.abs(self.goal - self.agent).max() <= 2)

    def frame(self) -> np.ndarray:
        """The picture of the state, uint8 (32, 32, 3)."""
        frame = self.floor.copy()
        for (top, left), colour in (
            (self.goal, (40, 200, 40)),
            (self.ball, (255, 255, 255)),
            (self.agent, (230, 40, 40)),
        ):
            frame[top : top + 3, left : left + 3] = colour
        return np.uint8(frame)

    def step(self, action: int) -> float:
        """Moves the agent by MOVES[action], and the ball; returns the reward, 1 at the goal and 0 elsewhere."""
        self.agent = np.clip(self.agent + MOVES[action], 0, SIDE - 3)
        beyond = (self.ball + self.speed < 0) | (self.ball + self.speed > SIDE - 3)
        self.speed = np.where(beyond, -self.speed, self.speed)
        self.ball = self.ball + self.speed
        return float(self.reached)

    def expert(self) -> int:
        """The action that reduces the larger distance to the goal; 0 where both are below a step."""
        way = self.goal - self.agent
        if np.abs(way).max() < 2:
            return 0
        axis = int(np.abs(way[1]) > np.abs(way[0]))
        return 1 + 2 * axis + int(way[axis] > 0)


def _episode(game: MovingDot) -> dict[str, np.ndarray]:
    frames, actions, rewards, states = [], [], [], []
    for _ in range(LENGTH):
        states.append(game.state)
        frames.append(game.frame())
        actions.append(game.expert() if game.rng.random() < 0.7 else int(game.rng.integers(len(MOVES))))
        rewards.append(game.step(actions[-1]))
    mission = [MISSIONS[int(game.goal[0] >= SIDE // 2)]] * LENGTH
    columns = dict(frames=np.stack(frames), action=np.array(actions), reward=np.float32(rewards))
    return columns | dict(state=np.stack(states), mission=np.array(mission))
