"""Recordings of arms as they might be heard, for the tests of the check."""

from __future__ import annotations

import numpy as np

from vla_ros.robots import RobotProfile, load_profile
from vla_ros.robots.check import PoseSample, Recording, StateSample
from vla_ros.robots.urdf_chain import parse_urdf, read_chain

SECOND = 1_000_000_000
START = 1_700_000_000 * SECOND


def flange(profile: RobotProfile):
    """Return a function from joints to the pose of the flange."""
    root = parse_urdf(profile.urdf_path.read_text('utf-8'), profile.name)
    chain = read_chain(root, profile.base_frame, profile.flange_frame, profile.name)
    return lambda q: chain.forward(dict(zip(profile.joints.names, q, strict=True)))


def recording(robot: str, truth: str | None = None, *, moves: bool = True, hz: float = 200.0,
              seconds: float = 2.0, age: float = 0.002, frame: str = '', T_flange_end=None,
              T_frame_base=None, poses: bool = True, noise: float = 0.0,
              widths=None) -> Recording:
    """Return what is heard of an arm whose driver computes with the model of ``truth``."""
    profile, model = load_profile(robot), load_profile(truth or robot)
    end = flange(model)
    rng = np.random.default_rng(0)
    heard = Recording(seconds, names=(*profile.joints.names, profile.gripper.joint))
    for i in range(round(hz * seconds)):
        t = i / hz
        q = profile.joints.home + (0.3 * np.sin(t + np.arange(6)) - 0.3 * np.sin(np.arange(6))
                                   if moves else 0.0)
        stamp = START + round(t * SECOND)
        arrival = stamp + round(age * SECOND)
        width = float(widths(t)) if widths is not None else None
        heard.states.append(StateSample(arrival, stamp, q, width))
        if poses:
            T = end(q)
            T[:3, 3] += rng.normal(0.0, noise, 3)
            if T_flange_end is not None:
                T = T @ T_flange_end
            if T_frame_base is not None:
                T = T_frame_base @ T
            heard.poses.append(PoseSample(arrival, stamp, frame, T))
    return heard
