"""The pipeline's settings from the control node's parameters, for the node and for tools."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from vla_ros.assembly import Guards
from vla_ros.core.degradation import LadderConfig
from vla_ros.core.fusion import FusionConfig, FusionMode
from vla_ros.core.gripper import GripperConfig, GripperMode
from vla_ros.core.lookahead import LookaheadConfig, OnTrouble
from vla_ros.core.override import OverrideConfig
from vla_ros.core.override_arm import ArmOverrideConfig
from vla_ros.core.override_gripper import GripperOverrideConfig
from vla_ros.core.pipeline_config import DeltaAnchor, PipelineConfig, StartLimits
from vla_ros.core.safety.estop import Interlock
from vla_ros.ros.parameter_spec import load_specs


def pipeline_config(values: Mapping[str, Any] | None = None) -> PipelineConfig:
    """Return the settings for parameter values; those not given: the defaults of ``config/nodes``.

    Raises
    ------
    ConfigError
        When two of them contradict each other.

    """
    v = _filled(values)
    return PipelineConfig(
        period=1.0 / v['rate_hz'],
        joint_state_timeout=v['joint_state_timeout_s'],
        frozen_after=v['joint_state_frozen_s'],
        max_joint_step=v['max_joint_step'],
        max_joint_lead=v['max_joint_lead'],
        fade=v['fade_s'],
        anchor=DeltaAnchor(v['delta_anchor']),
        start=StartLimits(v['start_distance'], v['start_rotation'], v['start_joint_distance'],
                          v['blend_in_s']),
        ladder=LadderConfig(v['slow_after_s'], v['chunk_timeout_s'], v['stop_after_s'] or math.inf,
                            v['slow_factor']),
        fusion=FusionConfig(FusionMode(v['fusion']), v['ensemble_coefficient'],
                            v['ensemble_direction'], v['crossfade_s'], v['fade_horizon_s'],
                            v['receding_steps']),
        gripper=GripperConfig(
            GripperMode(v['gripper_mode']), v['gripper_binary'], v['gripper_close_below'],
            v['gripper_open_above'], v['gripper_dwell_s'], v['gripper_latency_s'],
            v['gripper_max_width'] or math.inf, v['gripper_max_effort'],
            v['gripper_vote_half_life_s']),
        gripper_settle=v['gripper_settle_s'],
        lookahead_steps=v['lookahead_steps'],
        overrides=OverrideConfig(
            tuple(v['override_sources']),
            GripperOverrideConfig(
                v['override_deadman_s'], v['gripper_override_dwell_s'],
                v['gripper_override_agree_s'], v['gripper_override_agree_timeout_s'],
                v['gripper_binary'], v['gripper_close_below'], v['gripper_open_above'],
                v['gripper_override_agree_within']),
            ArmOverrideConfig(v['override_deadman_s'], v['leader_start_distance'],
                              v['leader_distance'])),
        stall_stop=v['stall_stop_s'])


def guards(values: Mapping[str, Any] | None = None) -> Guards:
    """Return what else watches over the motion, in the same way.

    Raises
    ------
    ConfigError
        When two of them contradict each other.

    """
    v = _filled(values)
    return Guards(
        clearance=v['check_clearance'],
        lookahead=LookaheadConfig(OnTrouble(v['on_trouble']), v['lookahead_jump_factor'],
                                  v['lookahead_slow_steps']),
        interlock=Interlock(v['hold_to_run_timeout_s'] or None, v['dry_run'], v['auto_arm']))


def _filled(values: Mapping[str, Any] | None) -> dict[str, Any]:
    return {**{name: spec.default for name, spec in load_specs('control_node').items()},
            **(values or {})}
