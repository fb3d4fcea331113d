"""The paper's experiments as configurations, and three profiles of the learner to run them with.

Numbers are those of Tables 1 and 3 of the paper's supplement: entropy weight, learning rate at start and end, influence weight,
curriculum (there in millions of environment steps, here as a fraction of the 300 million of a full run, so that it scales with
a shorter one) and weight of the model-of-others loss. What the paper does not state (optimiser, rollout length, clipping,
returns, scaling of rewards) is the profile's.
"""

import dataclasses

from influence_jax.config import (
    ConfigError,
    EnvConfig,
    ExperimentConfig,
    Hyperparams,
    InfluenceConfig,
    LearnerConfig,
    nearest,
)

PAPER_STEPS = 300_000_000

_A3C = InfluenceConfig()
_VISIBLE = InfluenceConfig(visible_actions=True)
_MOA = InfluenceConfig(model="moa", measure="kl", moa_train_only_visible=True)
_MOA_BASELINE = InfluenceConfig(model="moa", measure="kl", moa_train_only_visible=False)


def _hyperparams(
    entropy: float, start: float, end: float, moa: float = 1.0, beta: float = 0.0, curriculum: float = 0.0
):
    return Hyperparams(
        entropy_coef=entropy,
        learning_rate=start,
        learning_rate_end=end,
        moa_loss_weight=moa,
        influence_weight=beta,
        influence_curriculum=curriculum * 1e6 / PAPER_STEPS,
    )


# name: (what it is, game, influence, hyper-parameters)
_PRESETS = {
    "cleanup-a3c": ("independent agents (Table 1, A3C)", "cleanup", _A3C, _hyperparams(0.00176, 0.00126, 0.000012)),
    "cleanup-visible-actions": (
        "independent agents told the others' last actions (Table 1, visible actions)",
        "cleanup",
        _VISIBLE,
        _hyperparams(0.00176, 0.00126, 0.000012),
    ),
    "cleanup-moa": (
        "influence through a model of the other agents (Table 3, influence)",
        "cleanup",
        _MOA,
        _hyperparams(0.00176, 0.00123, 0.000012, moa=15.007, beta=0.620, curriculum=40),
    ),
    "cleanup-moa-baseline": (
        "a model of the other agents that pays nothing (Table 3, MOA baseline)",
        "cleanup",
        _MOA_BASELINE,
        _hyperparams(0.00176, 0.00123, 0.000012, moa=1.312),
    ),
    "harvest-a3c": ("independent agents (Table 1, A3C)", "harvest", _A3C, _hyperparams(0.000687, 0.00136, 0.000028)),
    "harvest-visible-actions": (
        "independent agents told the others' last actions (Table 1, visible actions)",
        "harvest",
        _VISIBLE,
        _hyperparams(0.00184, 0.00215, 0.000013),
    ),
    "harvest-moa": (
        "influence through a model of the other agents (Table 3, influence)",
        "harvest",
        _MOA,
        _hyperparams(0.00223, 0.00120, 0.000044, moa=10.911, beta=2.521, curriculum=226),
    ),
    "harvest-moa-baseline": (
        "a model of the other agents that pays nothing (Table 3, MOA baseline)",
        "harvest",
        _MOA_BASELINE,
        _hyperparams(0.00495, 0.00206, 0.000022, moa=1.711),
    ),
}


@dataclasses.dataclass(frozen=True)
class Profile:
    """How a preset is learned, where the paper is silent."""

    summary: str
    learner: LearnerConfig
    hyperparams: dict[str, float]
    log_interval: int


PROFILES = {
    "paper": Profile(
        "close to the asynchronous original: short rollouts, raw rewards, the n-step return",
        LearnerConfig(num_envs=32, rollout_length=20, optimizer="rmsprop", value_loss="squared", reward_scaling="none"),
        {"gae_lambda": 1.0, "max_grad_norm": 40.0, "value_coef": 0.1},
        50,
    ),
    "large": Profile(
        "large synchronous batches for an accelerator, rewards scaled",
        LearnerConfig(
            num_envs=256, rollout_length=32, optimizer="adam", value_loss="huber", reward_scaling="running_std"
        ),
        {"gae_lambda": 0.97, "max_grad_norm": 1.0, "value_coef": 0.5},
        10,
    ),
    "small": Profile(
        "our setting for a few million steps on a CPU, rewards scaled",
        LearnerConfig(
            num_envs=32, rollout_length=20, optimizer="adam", value_loss="huber", reward_scaling="running_std"
        ),
        {"gae_lambda": 0.97, "max_grad_norm": 1.0, "value_coef": 0.5},
        50,
    ),
}


def names() -> dict[str, str]:
    """Return each preset's name and what it is."""
    return {name: summary for name, (summary, *_) in _PRESETS.items()}


def get(name: str, profile: str = "paper") -> ExperimentConfig:
    """Return the configuration of a preset, learned as the profile says.

    Raises:
        ConfigError: there is no such preset or profile.
    """
    if name not in _PRESETS:
        allowed = ", ".join(_PRESETS)
        raise ConfigError(f"preset is {name!r}; allowed: {allowed}.{nearest(name, list(_PRESETS))}")
    if profile not in PROFILES:
        raise ConfigError(f"profile is {profile!r}; allowed: {', '.join(PROFILES)}.{nearest(profile, list(PROFILES))}")
    _, game, influence, hyperparams = _PRESETS[name]
    chosen = PROFILES[profile]
    return ExperimentConfig(
        env=EnvConfig(name=game),
        influence=influence,
        learner=chosen.learner,
        hyperparams=hyperparams.replace(**chosen.hyperparams),
        total_steps=PAPER_STEPS,
        log_interval=chosen.log_interval,
    )
