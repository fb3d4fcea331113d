"""The paper's experiments as configurations, and learner profiles to run them with.

Tables 1 to 3 of the paper's supplement give the entropy weight, the learning rate at start and end, the influence weight, its
curriculum and the weight of the model-of-others loss. The paper states the curriculum in millions of environment steps. Here it
is a fraction of the full run of 300 million, so it scales to shorter runs. The profile sets what the paper does not state:
optimiser, rollout length, clipping, returns and reward scaling.
"""

import dataclasses
from typing import Any

from influence_jax.config import (
    ConfigError,
    EnvConfig,
    ExperimentConfig,
    Hyperparams,
    InfluenceConfig,
    LearnerConfig,
    NetworkConfig,
    nearest,
)

PAPER_STEPS = 300_000_000


def _basic(influencers: int, measure: str = "kl") -> InfluenceConfig:
    return InfluenceConfig(model="basic", num_influencers=influencers, measure=measure)


def _talking(vocabulary: int) -> InfluenceConfig:
    return InfluenceConfig(model="communication", num_messages=vocabulary)


def _moa(only_visible: bool) -> InfluenceConfig:
    return InfluenceConfig(model="moa", moa_train_only_visible=only_visible)


def _rates(
    entropy: float, start: float, end: float, beta: float = 0.0, curriculum: float = 0.0, **others: float
) -> dict[str, float]:
    return {
        "entropy_coef": entropy,
        "learning_rate": start,
        "learning_rate_end": end,
        "influence_weight": beta,
        "influence_curriculum": curriculum * 1e6 / PAPER_STEPS,
        **others,
    }


def _message(entropy: float, weight: float, extrinsic: float) -> dict[str, float]:
    return {"message_entropy_coef": entropy, "message_loss_weight": weight, "message_extrinsic_weight": extrinsic}


@dataclasses.dataclass(frozen=True)
class _Preset:
    """One column of one of the paper's tables, for one game."""

    summary: str
    influence: InfluenceConfig
    hyperparams: dict[str, float]
    shaper: str = "individual"
    message_embedding: int = 32


# Three agents, episodes of 100 steps, firing costs 1 and so does a hit: for `maps.SMALL_CLEANUP` and `maps.SMALL_HARVEST`,
# which the profile "small" learns in minutes.
SMALL_GAME = {"env.num_agents": 3, "env.horizon": 100, "env.view_radius": 4, "env.params.hit_penalty": 1}
SMALL_GAME |= {"core_size": 32, "num_envs": 16, "rollout_length": 16}

_CLEANUP_A3C = _rates(0.00176, 0.00126, 0.000012)
_HARVEST_A3C = _rates(0.000687, 0.00136, 0.000028)
_INDEPENDENT = InfluenceConfig()

# The paper does not state the message head's settings in the communication baseline; we use those of the treatment.
_PRESETS = {
    "cleanup-a3c": _Preset("independent agents (Table 1, A3C)", _INDEPENDENT, _CLEANUP_A3C),
    "cleanup-visible-actions": _Preset(
        "basic model without influence reward (Table 1, visible actions)", _basic(3), _CLEANUP_A3C
    ),
    "cleanup-basic": _Preset(
        "basic influence, one influencer (Table 1, influence)",
        _basic(1, "jsd"),
        _rates(0.000248, 0.00107, 0.000042, beta=0.146, curriculum=140, influencee_share=1.0),
    ),
    "cleanup-communication-baseline": _Preset(
        "messages with the environment's reward only (Table 2, baseline)",
        _talking(9),
        _rates(0.000249, 0.00223, 0.000022, **_message(0.000789, 0.0758, 1.0)),
    ),
    "cleanup-communication": _Preset(
        "influence by messages (Table 2, influence)",
        _talking(9),
        _rates(0.00305, 0.00249, 0.0000127, beta=2.752, curriculum=1, **_message(0.000789, 0.0758, 0.0)),
    ),
    "cleanup-moa-baseline": _Preset(
        "a model of the other agents, without influence reward (Table 3, MOA baseline)",
        _moa(False),
        _rates(0.00176, 0.00123, 0.000012, moa_loss_weight=1.312),
    ),
    "cleanup-moa": _Preset(
        "influence through a model of the other agents (Table 3, influence)",
        _moa(True),
        _rates(0.00176, 0.00123, 0.000012, beta=0.620, curriculum=40, moa_loss_weight=15.007),
    ),
    "cleanup-prosocial": _Preset(
        "prosocial agents, who also value the others' rewards (supplement, section 10.5.2)",
        _INDEPENDENT,
        _CLEANUP_A3C,
        "prosocial",
    ),
    "cleanup-inequity-aversion": _Preset(
        "envious and guilty agents (Hughes et al. 2018)", _INDEPENDENT, _CLEANUP_A3C, "inequity_averse"
    ),
    "harvest-a3c": _Preset("independent agents (Table 1, A3C)", _INDEPENDENT, _HARVEST_A3C),
    "harvest-visible-actions": _Preset(
        "basic model without influence reward (Table 1, visible actions)", _basic(3), _rates(0.00184, 0.00215, 0.000013)
    ),
    "harvest-basic": _Preset(
        "basic influence, three influencers (Table 1, influence)",
        _basic(3, "pmi"),
        _rates(0.00025, 0.00107, 0.000042, beta=0.224, curriculum=140),
    ),
    "harvest-communication-baseline": _Preset(
        "messages with the environment's reward only (Table 2, baseline)",
        _talking(7),
        _rates(0.000174, 0.00137, 0.0000127, **_message(0.00208, 0.0709, 1.0)),
        message_embedding=16,
    ),
    "harvest-communication": _Preset(
        "influence by messages (Table 2, influence)",
        _talking(7),
        _rates(0.00220, 0.000413, 0.000049, beta=4.825, curriculum=8, **_message(0.00208, 0.0709, 1.0)),
        message_embedding=16,
    ),
    "harvest-moa-baseline": _Preset(
        "a model of the other agents, without influence reward (Table 3, MOA baseline)",
        _moa(False),
        _rates(0.00495, 0.00206, 0.000022, moa_loss_weight=1.711),
    ),
    "harvest-moa": _Preset(
        "influence through a model of the other agents (Table 3, influence)",
        _moa(True),
        _rates(0.00223, 0.00120, 0.000044, beta=2.521, curriculum=226, moa_loss_weight=10.911),
    ),
    "harvest-prosocial": _Preset(
        "prosocial agents, who also value the others' rewards (supplement, section 10.5.2)",
        _INDEPENDENT,
        _HARVEST_A3C,
        "prosocial",
    ),
    "harvest-inequity-aversion": _Preset(
        "envious and guilty agents (Hughes et al. 2018)", _INDEPENDENT, _HARVEST_A3C, "inequity_averse"
    ),
}


# Every condition of Box Trapped trains with these settings. The entropy weight falls from .42 to .02: while both agents still
# try everything, the box is opened now and then, and the trapped agent learns to leave. Otherwise nobody listens, and there is
# nothing to influence (experiments/README.md).
_BOX_TRAPPED = ExperimentConfig(
    env=EnvConfig("box-trapped", view_radius=5),
    network=NetworkConfig(core_size=32, critic="shared", normalise_features=False),
    learner=LearnerConfig(num_envs=16, rollout_length=20, optimizer="adam"),
    hyperparams=Hyperparams(
        learning_rate=3e-3,
        learning_rate_end=1e-4,
        discount=0.9,
        gae_lambda=0.95,
        entropy_coef=0.02,
        exploration=0.4,
        exploration_fraction=1.0,
        value_coef=0.25,
        max_grad_norm=1.0,
    ),
    total_steps=2_400_000,
    log_interval=150,
)

# Presets without a profile, because every setting is our own.
_COMPLETE = {
    "box-trapped": ("independent agents on Box Trapped, who never open the box (section 10.3)", _BOX_TRAPPED),
    "box-trapped-basic": (
        "basic influence on Box Trapped, which makes agents open the box (section 10.3)",
        dataclasses.replace(
            _BOX_TRAPPED, influence=_basic(1), hyperparams=_BOX_TRAPPED.hyperparams.replace(influence_weight=2.0)
        ),
    ),
}


@dataclasses.dataclass(frozen=True)
class Profile:
    """The learner's settings that the paper does not state."""

    summary: str
    learner: LearnerConfig
    hyperparams: dict[str, float]
    log_interval: int
    entropy: float | None = None  # weight of every head's entropy bonus; None takes the tables'
    network: NetworkConfig = NetworkConfig(moa_encoder="own")


# PPO normalises advantages, so the tables' learning rates and entropy weights do not carry over. All presets share these values,
# so that they differ only in what they compare.
_PPO = {
    "gae_lambda": 0.95,
    "max_grad_norm": 1.0,
    "value_coef": 0.5,
    "learning_rate": 1e-3,
    "learning_rate_end": 0.0,
    "fine_softening": 0.2,
}
# With a third of this, one agent in eight forgets Recall; with three times as much, agents on Harvest have half the sight.
_PPO_ENTROPY = 0.012

PROFILES = {
    "paper": Profile(
        "close to the asynchronous original: short rollouts, raw rewards, the n-step return",
        LearnerConfig(num_envs=32, rollout_length=20, optimizer="rmsprop", reward_scaling="none"),
        {"gae_lambda": 1.0, "max_grad_norm": 2.0, "value_coef": 0.1},  # the paper's clip of 40 is for a sum of 20 steps
        50,
        network=NetworkConfig(critic="shared", normalise_features=False),
    ),
    "large": Profile(
        "PPO with several epochs on large synchronous batches, for an accelerator",
        LearnerConfig(
            algorithm="ppo",
            num_envs=256,
            rollout_length=64,
            ppo_epochs=4,
            ppo_minibatches=16,
            optimizer="adam",
            reward_scaling="running_std",
        ),
        _PPO,
        2,
        entropy=_PPO_ENTROPY,
    ),
    "small": Profile(
        "PPO with a single epoch of small minibatches, for a few million steps on a CPU",
        LearnerConfig(
            algorithm="ppo",
            num_envs=64,
            rollout_length=32,
            ppo_epochs=1,
            ppo_minibatches=16,
            optimizer="adam",
            reward_scaling="running_std",
        ),
        _PPO,
        10,
        entropy=_PPO_ENTROPY,
    ),
}


def names() -> dict[str, str]:
    """Return the name and summary of each preset."""
    return {name: preset.summary for name, preset in _PRESETS.items()} | {
        name: summary for name, (summary, _) in _COMPLETE.items()
    }


def get(name: str, profile: str | None = None, **settings: Any) -> ExperimentConfig:
    """Return the configuration of a preset with a profile, with some settings changed.

    Args:
        name: a preset; `names` lists them.
        profile: ``"paper"``, ``"small"`` or ``"large"``; None means ``"paper"``.
        settings: changes, as for `ExperimentConfig.override`.

    Raises:
        ConfigError: the preset, profile or setting does not exist, or the preset has no profiles.

    Example:
        >>> influence_jax.presets.get("harvest-moa", profile="small", num_envs=8)
    """
    return _named(name, profile).override(**settings)


def _named(name: str, profile: str | None) -> ExperimentConfig:
    for argument, value in (("name", name), ("profile", "" if profile is None else profile)):
        if not isinstance(value, str):
            raise ConfigError(
                f"{argument} is {value!r}; allowed: strings, such as the preset 'harvest-moa' or the profile 'small'."
            )
    if name in _COMPLETE:
        if profile is not None:
            raise ConfigError(f"profile is {profile!r}, but preset {name!r} has no profiles; leave it out.")
        return _COMPLETE[name][1]
    if name not in _PRESETS:
        allowed = names()
        raise ConfigError(f"preset is {name!r}; allowed: {', '.join(allowed)}.{nearest(name, list(allowed))}")
    profile = "paper" if profile is None else profile
    if profile not in PROFILES:
        raise ConfigError(f"profile is {profile!r}; allowed: {', '.join(PROFILES)}.{nearest(profile, list(PROFILES))}")
    preset, chosen = _PRESETS[name], PROFILES[profile]
    hyperparams = preset.hyperparams | chosen.hyperparams
    if chosen.entropy is not None:
        heads = hyperparams.keys() & {"entropy_coef", "message_entropy_coef"}
        hyperparams |= dict.fromkeys(heads, chosen.entropy)
    network = dataclasses.replace(chosen.network, message_embedding=preset.message_embedding)
    return ExperimentConfig(
        env=EnvConfig(name.partition("-")[0]),
        network=network,
        influence=preset.influence,
        learner=dataclasses.replace(chosen.learner, shaper=preset.shaper),
        hyperparams=Hyperparams().replace(**hyperparams),
        total_steps=PAPER_STEPS,
        log_interval=chosen.log_interval,
    )
