"""Makes the pictures of README.md in the simulator: ``python tools/make_pictures.py``."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from vla_ros.assembly import build_pipeline
from vla_ros.ik import load_ik
from vla_ros.lockstep import Lockstep
from vla_ros.policy import load_policy
from vla_ros.robots import load_profile
from vla_ros.ros.pipeline_config import guards, pipeline_config
from vla_ros.sim.camera import SimCameras
from vla_ros.sim.world import SimWorld

FOLDER = Path(__file__).resolve().parent.parent / 'docs' / 'images'
SIZE = 480  # px


def main() -> None:
    """Render the Piper while it carries the insulator to the hook."""
    profile = load_profile('piper')
    kinematics = load_ik('pinocchio', profile)
    world = SimWorld(profile, seed=3)
    run = Lockstep(world, load_policy('scripted'),
                   build_pipeline(profile, pipeline_config(), 'pinocchio',
                                  guards=guards({'auto_arm': True})), kinematics)
    while world.time_ns < 4_300_000_000:
        run.tick('hang the insulator on the hook')
    cameras = SimCameras(world, SIZE, SIZE)
    snapshot = world.snapshot()
    pictures = cameras.render(snapshot)
    both = np.hstack([pictures[name] for name in cameras.names])
    FOLDER.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(FOLDER / 'cameras.jpg'), both[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 88])
    cameras.close()


if __name__ == '__main__':
    main()
