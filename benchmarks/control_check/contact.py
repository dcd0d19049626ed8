"""What the simulated arm presses against."""

from __future__ import annotations

import mujoco
import numpy as np

from vla_ros.sim.world import SimWorld

PRESSED = 5.0  # N


def pressed_against(world: SimWorld) -> dict[str, float]:
    """Return what the arm, or what it holds, presses against and cannot move, and the force [N].

    Only what is pressed with at least ``PRESSED`` counts: the sum of the normal forces of all its
    contacts.
    """
    model, data = world.model, world.data
    arm = model.body_rootid == model.body_rootid[model.body('gripper_base').id]
    free = (model.body_dofnum == 6) & ~arm
    forces: list[tuple[int, int, float]] = []
    force = np.zeros(6)
    for i in range(data.ncon):
        one, two = (int(model.geom_bodyid[geom]) for geom in data.contact[i].geom)
        mujoco.mj_contactForce(model, data, i, force)
        forces += [(one, two, abs(force[0])), (two, one, abs(force[0]))]
    held = {two for one, two, _ in forces if arm[one] and free[two]}
    found: dict[str, float] = {}
    for one, two, newton in forces:
        if (arm[one] or one in held) and not (arm[two] or free[two]):
            name = model.body(two).name
            found[name] = found.get(name, 0.0) + newton
    return {name: newton for name, newton in found.items() if newton >= PRESSED}
