"""Distances between the links of an arm, and to keep-out boxes: Pinocchio's geometry and coal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vla_ros.core.errors import ConfigError, DependencyError
from vla_ros.core.limits import ClearanceLimits, KeepOut
from vla_ros.core.safety.clearance import Proximity
from vla_ros.ik.arm import ArmProfile
from vla_ros.ik.arm_model import ArmModel
from vla_ros.ik.collision_config import CollisionConfig

Array = NDArray[np.float64]


class PinocchioClearance:
    """Distances on the URDF's collision primitives (``core.safety.Clearance``).

    Pairs are those of different links that may meet, and of moving links with keep-out boxes. A
    pair is computed anew only when the arm has moved so far since that it may have come near: a
    body moves at most by the sum over the joints of their motion times the reach behind them.

    The gripper's fingers are in the model twice, closed and open, because their position is not
    known here.

    Parameters
    ----------
    profile : ArmProfile
        Arm and URDF.
    limits : ClearanceLimits
        From which distance on a pair is near, and which is too near.
    keep_out : Sequence[KeepOut]
        Boxes in the base frame.
    config : CollisionConfig
        Which links need no check against each other.

    Raises
    ------
    DependencyError
        When this Pinocchio was built without collision geometry.
    ConfigError
        When the URDF has no collision shapes that can be read.

    """

    def __init__(self, profile: ArmProfile, limits: ClearanceLimits, keep_out: Sequence[KeepOut],
                 config: CollisionConfig) -> None:
        arm = ArmModel(profile)
        self._pin = pin = arm.pin
        self._model, self._geometry, fingers = _models(pin, profile, arm.model)
        self._data = self._model.createData()
        links = [self._model.frames[body.parentFrame].name
                 for body in self._geometry.geometryObjects]
        n_links = len(links)
        _add_boxes(pin, self._geometry, keep_out, arm.world_base)
        links += [box.name for box in keep_out]
        slow, stop = [], []
        for a, b in _pairs(self._geometry, links, n_links, fingers, config):
            self._geometry.addCollisionPair(pin.CollisionPair(a, b))
            finger = b >= n_links and a in fingers
            slow.append(limits.finger_slow_distance if finger else limits.slow_distance)
            stop.append(limits.finger_stop_distance if finger else limits.stop_distance)
        self._placed = self._geometry.createData()
        pairs = [(p.first, p.second) for p in self._geometry.collisionPairs]
        self._names = [(links[a], links[b]) for a, b in pairs]
        self._slow, self._stop = np.array(slow), np.array(stop)
        parents = np.array([body.parentJoint for body in self._geometry.geometryObjects])
        first, second = parents[[a for a, _ in pairs]], parents[[b for _, b in pairs]]
        joints = np.arange(1, arm.n + 1)
        # 1 for joints that move the second body of a pair alone, -1 for the first, 0 for both or
        # none; the chain has no forks.
        self._sign = (joints <= second[:, None]) * 1.0 - (joints <= first[:, None])
        self._rate = np.abs(self._sign) * _reaches(pin, self._model, self._geometry)[:arm.n]
        self._known = np.full(len(pairs), -np.inf)  # distance when last computed
        self._known_at = np.zeros((len(pairs), arm.n))

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """The names of the two bodies of each pair of primitives that is watched."""
        return list(self._names)

    def near(self, q: Array) -> list[Proximity]:
        """Return the pairs that are nearer than their slow distance at joints (n,) [rad]."""
        close = self._update(q, self._slow)
        if not close.size:
            return []
        gradients = self._gradients(q, close)
        return [Proximity(k, self._names[k], d, slow, stop, gradient)
                for k, d, slow, stop, gradient in zip(
                    close.tolist(), self._known[close].tolist(), self._slow[close].tolist(),
                    self._stop[close].tolist(), gradients)]

    def distances(self, q: Array) -> list[tuple[int, float]]:
        """Return (pair, distance [m]) of pairs nearer than their stop distance."""
        return [(int(k), float(self._known[k])) for k in self._update(q, self._stop)]

    def _update(self, q: Array, within: Array) -> Array:
        """Return the pairs nearer than ``within`` (m,) [m], their distances known at ``q``."""
        least = self._known - (np.abs(q - self._known_at) * self._rate).sum(axis=1)
        candidates = np.flatnonzero(least < within)
        if not candidates.size:
            return candidates
        pin, geometry, placed = self._pin, self._geometry, self._placed
        pin.updateGeometryPlacements(self._model, self._data, geometry, placed, q)
        self._known[candidates] = [
            pin.computeDistance(geometry, placed, int(k)).min_distance for k in candidates]
        self._known_at[candidates] = q
        return candidates[self._known[candidates] < within[candidates]]

    def _gradients(self, q: Array, close: Array) -> Array:
        """Return the change of some pairs' distances with each joint (m, n) [m/rad].

        The two nearest points move apart along the line between them. A joint before both bodies
        moves both alike; of a joint between the bodies only one of the points knows, and any point
        of the line will do, because turning it about itself changes nothing.
        """
        jacobian = np.array(self._pin.computeJointJacobians(self._model, self._data, q))
        results = [self._placed.distanceResults[k] for k in close.tolist()]
        x, y, z = np.array([r.normal for r in results]).T  # from the first body to the second
        px, py, pz = np.array([r.getNearestPoint1() for r in results]).T
        line = np.stack([x, y, z, py * z - pz * y, pz * x - px * z, px * y - py * x], axis=1)
        return np.asarray((line @ jacobian) * self._sign[close])


def _models(pin: Any, profile: ArmProfile, chain: Any) -> tuple[Any, Any, set[int]]:
    """Return model and geometry of the arm joints alone, and which bodies are fingers."""
    path = str(profile.urdf_path)
    full = pin.buildModelFromUrdf(path)
    try:
        shapes = pin.buildGeomFromUrdf(full, path, pin.GeometryType.COLLISION)
    except AttributeError as error:
        raise DependencyError(
            'self-collision needs a Pinocchio with coal (or hpp-fcl): apt install '
            'ros-$ROS_DISTRO-pinocchio, or pip install "vla_ros[ik]"') from error
    except (ValueError, RuntimeError) as error:
        raise ConfigError(f'{path}: its collision shapes cannot be read: {error}',
                          file=path) from error
    locked = [i for i in range(1, full.njoints) if not chain.existJointName(full.names[i])]
    reduced = []
    for limit in (full.lowerPositionLimit, full.upperPositionLimit):
        q = pin.neutral(full)
        for i in locked:
            q[full.idx_qs[i]] = limit[full.idx_qs[i]]
        reduced.append(pin.buildReducedModel(full, shapes, locked, q))
    model, geometry = reduced[0]
    if not len(geometry.geometryObjects):
        raise ConfigError(f'{path}: no link has a collision shape', file=path)
    fingers = {i for i, body in enumerate(shapes.geometryObjects) if body.parentJoint in locked}
    for i in sorted(fingers):
        body = reduced[1][1].geometryObjects[i]
        body.name += '_open'
        fingers.add(geometry.addGeometryObject(body))
    return model, geometry, fingers


def _add_boxes(pin: Any, geometry: Any, boxes: Sequence[KeepOut], world_base: Any) -> None:
    shape = _shapes().Box
    for box in boxes:
        centre = pin.SE3(np.eye(3), 0.5 * (box.lower + box.upper))
        geometry.addGeometryObject(pin.GeometryObject(
            f'keep-out {box.name}', 0, 0, world_base * centre, shape(*(box.upper - box.lower))))


def _pairs(geometry: Any, links: Sequence[str], n_links: int, fingers: set[int],
           config: CollisionConfig) -> list[tuple[int, int]]:
    bodies = geometry.geometryObjects
    return [(a, b) for a in range(n_links) for b in range(a + 1, len(links))
            if bodies[a].parentJoint != bodies[b].parentJoint
            and (b >= n_links or not config.ignored(links[a], links[b]))]


def _reaches(pin: Any, model: Any, geometry: Any) -> Array:
    """Return for each joint a bound on how far from its axis anything behind it can be [m]."""
    behind = np.zeros(model.njoints)
    for body in geometry.geometryObjects:
        shape = body.geometry
        shape.computeLocalAABB()
        extent = np.linalg.norm(body.placement.act(np.asarray(shape.aabb_center)))
        behind[body.parentJoint] = max(behind[body.parentJoint], extent + shape.aabb_radius)
    for joint in range(model.njoints - 1, 1, -1):
        parent = model.parents[joint]
        way = float(np.linalg.norm(model.jointPlacements[joint].translation))
        behind[parent] = max(behind[parent], way + behind[joint])
    return behind[1:]


def _shapes() -> Any:
    try:
        import coal
    except ImportError:
        import hppfcl as coal  # its name before Pinocchio 3.3
    return coal
