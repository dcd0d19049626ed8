"""The pipeline's settings from the control node's parameters, for the node and for tools."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vla_ros.core.pipeline import PipelineConfig
from vla_ros.ros.parameter_spec import load_specs


def pipeline_config(values: Mapping[str, Any] | None = None) -> PipelineConfig:
    """Return the settings for parameter values; None: the defaults of ``config/nodes``."""
    if values is None:
        values = {name: spec.default for name, spec in load_specs('control_node').items()}
    return PipelineConfig(
        period=1.0 / values['rate_hz'], joint_state_timeout=values['joint_state_timeout_s'],
        chunk_timeout=values['chunk_timeout_s'],
        ensemble_coefficient=values['ensemble_coefficient'],
        max_joint_step=values['max_joint_step'], max_joint_lead=values['max_joint_lead'])
