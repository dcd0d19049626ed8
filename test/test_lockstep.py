"""Whole tasks without ROS: the policy and the pipeline of the live nodes, in the simulation."""

import math

import numpy as np
import pytest

from vla_ros.assembly import build_pipeline
from vla_ros.ik import load_ik
from vla_ros.policy import load_policy
from vla_ros.robots import load_profile

pytest.importorskip('mujoco')

from vla_ros.lockstep import Lockstep
from vla_ros.ros.pipeline_config import guards, pipeline_config
from vla_ros.sim.world import SimWorld

CONFIG, GUARDS = pipeline_config(), guards({'auto_arm': True})


def lockstep(robot, seed=0, **options):
    profile = load_profile(robot)
    kinematics = load_ik('pinocchio', profile)
    return Lockstep(SimWorld(profile, seed=seed), load_policy('scripted'),
                    build_pipeline(profile, CONFIG, 'pinocchio', guards=GUARDS), kinematics,
                    **options)


@pytest.mark.parametrize('robot', ['piper', 'piper_old_dh', 'ur3e', 'ur5e', 'ur10e'])
def test_each_arm_picks_the_insulator_and_hangs_it_on_the_hook(robot):
    run = lockstep(robot)
    for task in ('pick up the insulator', 'hang the insulator on the hook'):
        outcome = run.run(task, timeout=40.0)
        assert outcome.success, outcome


@pytest.mark.parametrize('colour', ['red', 'yellow'])
def test_cubes_are_picked_by_colour(colour):
    outcome = lockstep('piper', seed=3).run(f'pick up the {colour} cube', timeout=40.0)
    assert outcome.success, outcome


@pytest.mark.parametrize(('latency', 'period'), [(0.0, 0.1), (0.15, 0.15), (0.3, 0.3), (0.4, 0.1)])
def test_a_slow_policy_still_picks(latency, period):
    outcome = lockstep('piper', latency=latency, inference_period=period).run(
        'pick up the insulator', timeout=40.0)
    assert outcome.success, outcome


def test_the_same_seed_gives_the_same_commands_bit_for_bit():
    def commands():
        sent = []
        run = lockstep('piper', seed=5, on_tick=lambda tick: sent.append(tick.q.tobytes()))
        for _ in range(150):
            run.tick('pick up the insulator')
        return sent

    assert commands() == commands()


@pytest.mark.parametrize('robot', ['piper', 'ur5e'])
def test_every_command_of_a_task_is_within_the_arms_limits(robot):
    ticks = []
    run = lockstep(robot, on_tick=ticks.append)
    run.run('pick up the insulator', timeout=20.0)
    joints = run.world.profile.joints
    q = np.array([tick.q for tick in ticks])
    v = np.diff(q, axis=0) / 0.01
    a = np.diff(v, axis=0) / 0.01
    assert len(q) > 100
    assert (q >= joints.lower).all() and (q <= joints.upper).all()
    assert (np.abs(v) <= joints.velocity + 1e-6).all()
    assert (np.abs(a) <= joints.acceleration + 1e-3).all()


def test_a_policy_that_always_answers_too_late_does_not_move_the_arm():
    run = lockstep('piper', latency=1.5)
    home = run.world.joint_position
    outcome = run.run('pick up the insulator', timeout=4.0)
    assert not outcome.success
    assert math.isclose(np.abs(run.world.joint_position - home).max(), 0.0, abs_tol=5e-3)
