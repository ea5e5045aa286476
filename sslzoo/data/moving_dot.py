"""A small environment for tests and first trials: an agent walks to a goal past a bouncing ball."""

import numpy as np

SIDE, LENGTH, GRAY = 32, 24, 40  # pixels, frames of an episode, brightness of a plain floor
MOVES = np.array([[0, 0], [-2, 0], [2, 0], [0, -2], [0, 2]])  # of the agent in pixels, by action
STATE = ("agent_y", "agent_x", "ball_y", "ball_x", "goal_y", "goal_x")
MISSIONS = ("go to the upper goal", "go to the lower goal")


def moving_dot(episodes: int = 60, seed: int = 0, plain: bool = False) -> dict[str, np.ndarray]:
    """Records of the environment.

    The agent, a red square, takes a step towards the goal, a green square, with probability 0.7 and a random action
    otherwise. The ball, a white square, moves independently of the agent. The floor differs between episodes.

    Args:
        episodes: number of episodes of LENGTH frames.
        seed: of everything that is random.
        plain: one gray floor for all episodes.

    Returns:
        The arrays that `episode_files.load_episodes` takes: frames uint8 (n, 32, 32, 3), episode, action, reward,
        state, state_names and mission.
    """
    rng = np.random.default_rng(seed)
    parts = [_episode(rng, plain) for _ in range(episodes)]
    found = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    return found | {"episode": np.repeat(np.arange(episodes), LENGTH), "state_names": np.array(STATE)}


def _episode(rng: np.random.Generator, plain: bool) -> dict[str, np.ndarray]:
    floor = rng.integers(0, 90, (4, 4, 3)).repeat(SIDE // 4, 0).repeat(SIDE // 4, 1)
    floor = np.full_like(floor, GRAY) if plain else floor
    agent, ball, goal = (rng.integers(2, SIDE - 4, 2) for _ in range(3))
    speed = rng.integers(1, 3, 2) * rng.choice([-1, 1], 2)
    frames, actions, rewards, states = [], [], [], []
    for _ in range(LENGTH):
        states.append([*agent, *ball, *goal])
        frames.append(_drawn(floor, agent, ball, goal))
        action = _towards(goal - agent, rng) if rng.random() < 0.7 else int(rng.integers(len(MOVES)))
        agent = np.clip(agent + MOVES[action], 0, SIDE - 3)
        speed = np.where((ball + speed < 0) | (ball + speed > SIDE - 3), -speed, speed)
        ball = ball + speed
        actions.append(action)
        rewards.append(float(np.abs(goal - agent).max() <= 2))
    mission = [MISSIONS[int(goal[0] >= SIDE // 2)]] * LENGTH
    columns = dict(frames=np.uint8(frames), action=np.array(actions), reward=np.float32(rewards))
    return columns | dict(state=np.float32(states), mission=np.array(mission))


def _towards(way: np.ndarray, rng: np.random.Generator) -> int:
    """The action that reduces the larger distance; 0 where both are below a step."""
    if np.abs(way).max() < 2:
        return 0
    axis = int(np.abs(way[1]) > np.abs(way[0]))
    return 1 + 2 * axis + int(way[axis] > 0)


def _drawn(floor: np.ndarray, agent: np.ndarray, ball: np.ndarray, goal: np.ndarray) -> np.ndarray:
    frame = floor.copy()
    for (top, left), colour in ((goal, (40, 200, 40)), (ball, (255, 255, 255)), (agent, (230, 40, 40))):
        frame[top : top + 3, left : left + 3] = colour
    return frame
