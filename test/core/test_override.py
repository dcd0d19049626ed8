"""Both channels together: they share heartbeats and stops, and nothing else."""

import numpy as np

from vla_ros.core.limits import GripperRange
from vla_ros.core.override import OverrideConfig, Overrides
from vla_ros.core.override_arm import ArmOverrideConfig
from vla_ros.core.override_gripper import GripperOverrideConfig

MS = 1_000_000
CONFIG = OverrideConfig(
    ('panel', 'topic'), GripperOverrideConfig(0.3, 0.5, 0.5, 10.0, True, 0.4, 0.6, 0.1),
    ArmOverrideConfig(0.3, 0.3, 0.8))


def overrides():
    return Overrides(CONFIG, GripperRange(0.0, 0.07), 6)


def test_two_sources_may_have_one_channel_each():
    o = overrides()
    o.gripper.command(0, 'topic', 'close', 'latched')
    o.arm.takeover(0, 'panel')
    assert (o.gripper.step(1, 1.0).source, o.arm.step(1).source) == ('topic', 'panel')
    assert o.status.message == 'takeover: panel waiting; gripper override: topic latched'


def test_giving_one_channel_back_does_not_touch_the_other():
    o = overrides()
    o.gripper.command(0, 'panel', 'close', 'latched')
    o.arm.takeover(0, 'panel')
    o.arm.step(1)
    o.gripper.release(2, 'panel')
    assert o.arm.step(3).held
    o.gripper.command(4, 'panel', 'close', 'latched')
    o.arm.release(5, 'panel')
    assert o.gripper.step(6, 1.0).fraction == 0.0


def test_a_heartbeat_keeps_both_and_a_stop_ends_both():
    o = overrides()
    o.gripper.command(0, 'panel', 'close', 'momentary')
    o.arm.twist(0, 'panel', np.full(6, 0.1), False)
    o.alive(250 * MS, 'panel')
    assert o.gripper.step(400 * MS, 1.0).fraction == 0.0
    assert o.arm.step(400 * MS).held
    o.stop(401 * MS)
    assert (o.status.gripper, o.status.arm, o.status.message) == ('STOPPED', 'STOPPED', 'none')
    o.start(402 * MS)
    assert (o.status.gripper, o.status.arm, o.status.message) == ('POLICY', 'POLICY', 'none')


def test_the_status_is_new_when_something_is_and_only_then():
    o = overrides()
    before = o.status
    assert o.status == before
    o.arm.hold(5, 'topic')
    status = o.status
    assert status != before
    assert (status.arm, status.arm_source, status.arm_since_ns) == ('HOLD', 'topic', 5)
    o.arm.step(6)
    o.arm.hold(7, 'topic')
    assert o.status == status
    o.gripper.command(8, 'panel', 'close', 'until_agree')
    assert (o.status.gripper, o.status.gripper_source, o.status.gripper_mode) == (
        'UNTIL_AGREE', 'panel', 'until_agree')
