"""Calls point one way, and each layer imports only the libraries it is allowed to."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = 'vla_ros'

PARTS = {'policy', 'ik', 'robots', 'sim', 'replay'}
LEAVES = {'resources', 'section', 'image_codec', 'page', 'progress'}
ASSEMBLIES = {'assembly', 'lockstep', 'bringup', 'policy_replay'}

# Each top-level module or folder, and the others it may import.
MAY_IMPORT: dict[str, set[str]] = {
    '__init__': set(),
    'core': set(),
    **{name: {'core'} for name in LEAVES},
    **{name: {'core'} | LEAVES for name in PARTS},
    **{name: {'core'} | LEAVES | PARTS for name in ASSEMBLIES},
    'timing_replay': {'core', 'assembly', 'policy_replay'} | LEAVES | PARTS,
    'ros': {'core'} | LEAVES | PARTS | ASSEMBLIES | {'demo'},
    'demo': {'core'} | LEAVES | PARTS | ASSEMBLIES,
    'report': {'core'} | LEAVES | PARTS | ASSEMBLIES,
    'cli': {'core', 'demo', 'report', 'ros', 'timing_replay'} | LEAVES | PARTS | ASSEMBLIES,
    'pytest_plugin': {'cli', 'core'} | PARTS,
    'launch': {'core'} | ASSEMBLIES,
}

# What the layers below may not even load: ROS has to be optional for the command line's --help.
ONLY_LAZILY = {('cli', 'ros'), ('cli', 'demo'), ('cli', 'report'),
               *(('pytest_plugin', layer) for layer in ('cli', 'core', *PARTS))}

# Libraries that belong to some layers only. A name ends with * where it stands for a family.
ONLY_IN: dict[str, set[str]] = {
    'torch': {'policy', 'ik'},
    'transformers': {'policy'},
    'pinocchio': {'ik'},
    'curobo': {'ik'},
    'mujoco': {'sim'},
    'OpenGL': {'sim'},
    'rosbags': {'replay'},
    'pyarrow': {'replay'},
    'av': {'demo', 'replay'},
    'matplotlib': {'demo', 'page', 'report'},
    'rerun': {'report'},
    'launch': {'launch'},
    'launch_ros': {'launch'},
    'rclpy': {'ros'},
    'rcl_interfaces': {'ros'},
    'builtin_interfaces': {'ros'},
    'cv_bridge': {'ros'},
    'message_filters': {'ros'},
    'std_srvs': {'ros'},
    'tf2_ros': {'ros'},
    '*_msgs': {'ros'},
}

# The core takes time as an argument and tells its caller what happened: no clock, thread or log.
CORE_LIBRARIES = {'numpy'}
CORE_FORBIDS = {
    'asyncio', 'concurrent', 'datetime', 'logging', 'multiprocessing', 'queue', 'sched', 'signal',
    'socket', 'subprocess', 'threading', 'time', 'warnings',
}


def imports(tree: ast.AST, package: list[str], lazy: bool = False) -> Iterator[tuple[str, bool]]:
    """Yield (absolute module name, whether inside a function) for every import below ``tree``."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, lazy) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[:len(package) - node.level + 1] if node.level else []
            module = '.'.join(base + ([node.module] if node.module else []))
            yield module, lazy
            # `from vla_ros import ros` imports a layer, as does `from . import x` in the root.
            if module == PACKAGE:
                yield from ((f'{module}.{alias.name}', lazy) for alias in node.names)
        elif isinstance(node, ast.Call) and _is_import_call(node):
            yield node.args[0].value, lazy  # type: ignore[attr-defined]
        inside = lazy or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        yield from imports(node, package, inside)


def _is_import_call(node: ast.Call) -> bool:
    name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, 'id', '')
    return (name in {'import_module', '__import__'} and bool(node.args)
            and isinstance(node.args[0], ast.Constant) and isinstance(node.args[0].value, str))


def violations(source: str, path: str) -> list[str]:
    """Return what breaks the rule in ``source``, a file at ``path`` relative to the checkout."""
    parts = list(Path(path).with_suffix('').parts)
    layer = parts[1] if parts[0] == PACKAGE else parts[0]
    found = []
    for name, lazy in imports(ast.parse(source), parts[:-1]):
        top, _, rest = name.partition('.')
        if top == PACKAGE:
            found += _own(layer, rest.partition('.')[0], lazy)
        else:
            found += _foreign(layer, top)
    return [f'{path}: {reason}' for reason in dict.fromkeys(found)]


def _own(layer: str, target: str, lazy: bool) -> list[str]:
    if target in {'', layer, '__version__', 'PACKAGE'}:
        return []
    if target not in MAY_IMPORT.get(layer, set()):
        return [f'{layer} may not import {PACKAGE}.{target}']
    if (layer, target) in ONLY_LAZILY and not lazy:
        return [f'{layer} may import {PACKAGE}.{target} only inside a function']
    return []


def _foreign(layer: str, top: str) -> list[str]:
    allowed = ONLY_IN.get(top, ONLY_IN['*_msgs'] if top.endswith('_msgs') else None)
    if allowed is not None and layer not in allowed:
        return [f'{layer} may not import {top}; only {", ".join(sorted(allowed))} may']
    if layer == 'core' and (top in CORE_FORBIDS
                            or top not in CORE_LIBRARIES | set(sys.stdlib_module_names)):
        return [f'core may not import {top}']
    return []


def source_files() -> list[str]:
    found = [*ROOT.glob(f'{PACKAGE}/**/*.py'), *ROOT.glob('launch/*.py')]
    return sorted(str(path.relative_to(ROOT)) for path in found)


@pytest.mark.parametrize('path', source_files())
def test_every_file_keeps_the_rule(path: str) -> None:
    assert violations((ROOT / path).read_text(encoding='utf-8'), path) == []


def test_every_layer_has_a_rule() -> None:
    layers = {Path(path).with_suffix('').parts[1] for path in source_files()
              if path.startswith(PACKAGE)}
    assert layers <= set(MAY_IMPORT), 'say in MAY_IMPORT what the new layer may import'


@pytest.mark.parametrize('layer', sorted(MAY_IMPORT))
def test_no_two_layers_may_import_each_other(layer: str) -> None:
    assert [other for other in MAY_IMPORT[layer] if layer in MAY_IMPORT[other]] == []


@pytest.mark.parametrize(('source', 'path'), [
    ('import rclpy', 'vla_ros/core/types.py'),
    ('import time', 'vla_ros/core/pipeline.py'),
    ('from datetime import datetime', 'vla_ros/core/types.py'),
    ('import threading', 'vla_ros/core/chunk_buffer.py'),
    ('def f():\n    import logging', 'vla_ros/core/arbiter.py'),
    ('import torch', 'vla_ros/core/ensembler.py'),
    ('import scipy.linalg', 'vla_ros/core/se3.py'),
    ('import importlib\nimportlib.import_module("torch.nn")', 'vla_ros/core/se3.py'),
    ('from vla_ros.ik import load_ik', 'vla_ros/core/pipeline.py'),
    ('from ..ik import load_ik', 'vla_ros/core/pipeline.py'),
    ('from ...ik import load_ik', 'vla_ros/core/safety/joint_gate.py'),
    ('from vla_ros.resources import share_file', 'vla_ros/core/types.py'),
    ('from vla_ros.ik import load_ik', 'vla_ros/policy/scripted.py'),
    ('from vla_ros.sim.world import SimWorld', 'vla_ros/policy/scripted.py'),
    ('from .. import sim', 'vla_ros/robots/profile.py'),
    ('if TYPE_CHECKING:\n    from vla_ros.robots import RobotProfile', 'vla_ros/sim/world.py'),
    ('from sensor_msgs.msg import Image', 'vla_ros/sim/camera.py'),
    ('from std_srvs.srv import Trigger', 'vla_ros/cli/up.py'),
    ('from vla_ros.ros import qos', 'vla_ros/assembly.py'),
    ('from vla_ros.assembly import build_pipeline', 'vla_ros/ik/__init__.py'),
    ('from vla_ros.cli.main import main', 'vla_ros/ros/sim_node.py'),
    ('from vla_ros.ros import qos', 'vla_ros/cli/up.py'),
    ('import mujoco', 'vla_ros/robots/urdf.py'),
    ('from launch import LaunchDescription', 'vla_ros/ros/control_node.py'),
    ('from vla_ros.ros import qos', 'launch/bringup.launch.py'),
])
def test_the_checker_catches_a_violation(source: str, path: str) -> None:
    assert len(violations(source, path)) == 1


@pytest.mark.parametrize(('source', 'path'), [
    ('import math\nfrom dataclasses import dataclass\nimport numpy as np', 'vla_ros/core/se3.py'),
    ('from .limits import JointLimits', 'vla_ros/core/pipeline.py'),
    ('from ..limits import JointLimits', 'vla_ros/core/safety/joint_gate.py'),
    ('from vla_ros.core.errors import ConfigError\nimport torch', 'vla_ros/policy/oft.py'),
    ('def run():\n    from vla_ros.ros import qos', 'vla_ros/cli/up.py'),
    ('import rclpy\nimport time\nfrom vla_ros.assembly import x', 'vla_ros/ros/control_node.py'),
])
def test_the_checker_lets_what_is_allowed_pass(source: str, path: str) -> None:
    assert violations(source, path) == []
