"""Near a singularity the real arms slow down, halt, and are free to leave, by the same gate."""

import numpy as np
import pytest

pytest.importorskip('pinocchio')

from vla_ros.assembly import joint_limits, task_space_limits
from vla_ros.core.safety import JointGate, SingularityGuard, ToolSpeed
from vla_ros.ik.arm_model import ArmModel
from vla_ros.robots import load_profile, robot_names

DT = 0.01


@pytest.mark.parametrize('robot', robot_names())
def test_a_wrist_driven_to_its_singularity_slows_down_ends_short_of_it_and_may_leave(robot):
    profile = load_profile(robot)
    arm, limits = ArmModel(profile), profile.singularity
    gate = JointGate(joint_limits(profile), singularity=SingularityGuard(arm.jacobian, limits))
    q, v = np.array(profile.joints.home), np.zeros(6)
    toward = -np.sign(q[4]) * 0.004 * np.eye(6)[4]  # joint 5 to zero, where axes 4 and 6 align
    said, values = set(), []
    for _ in range(1000):
        gated = gate(q + toward, q, v, DT)
        q, v = gated.q, gated.velocity
        said |= {text.rpartition(' ')[0] for text in gated.acted}
        values.append(arm.smallest_singular_value(q))
    assert 'singularity: slowed at' in said
    assert min(values) >= limits.halt_below - 1e-4
    assert values[-1] < limits.resume_above, 'it got near'
    for _ in range(40):
        gated = gate(q - toward, q, v, DT)
        q, v = gated.q, gated.velocity
    assert np.allclose(v, -toward / DT, atol=1e-6) and gated.acted == ()


@pytest.mark.parametrize('robot', robot_names())
def test_joints_alone_do_not_move_the_tool_faster_than_it_may_be_also_while_braking(robot):
    """A stretched arm: the same joint velocity is another speed of the tool from tick to tick."""
    profile = load_profile(robot)
    arm, task = ArmModel(profile), task_space_limits(profile)
    gate = JointGate(joint_limits(profile), 0.3, tool_speed=ToolSpeed(arm.jacobian, task))
    rng = np.random.default_rng(3)
    q, v = np.array(profile.joints.home), np.zeros(6)
    fastest = 0.0
    for k in range(600):
        if k % 30 == 0:
            step = rng.normal(size=6) * 0.03
        goal = q if k % 90 > 75 else np.clip(q + step, profile.joints.lower, profile.joints.upper)
        gated = gate(goal, q, v, DT)
        moved = arm.forward(gated.q)[:3, 3] - arm.forward(q)[:3, 3]
        fastest = max(fastest, float(np.linalg.norm(moved)) / DT)
        q, v = gated.q, gated.velocity
    assert 0.9 * task.max_speed <= fastest <= 1.02 * task.max_speed
