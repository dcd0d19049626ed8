"""Makes config/collision: spheres over each link, and which links need no check.

    python tools/make_collision_spheres.py [--robots piper ur5e] [--pictures docs/images]

Spheres: every candidate is centred inside a link and as large as fits there plus an overshoot; the
fewest that cover all sampled surface points are taken greedily. So none sticks out further than the
overshoot, which is the smallest one that needs no more than MOST spheres for the link. Where the
spheres of two links overlap at home though the links are apart, no sphere of the one reaches nearer
to the other link than to its own, which takes more of them.

Pairs that need no check are neighbours in the chain, pairs that overlap in every sampled posture,
and pairs that come nearer than NEVER in none, nor in a descent from the nearest one.
"""

from __future__ import annotations

import argparse
import colorsys
import itertools
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pinocchio as pin

from vla_ros.robots import load_profile, robot_names

FOLDER = Path(__file__).resolve().parent.parent
SPACINGS = (0.004, 0.005, 0.006, 0.008)  # m between samples of a surface; the first that is quick
SAMPLES, CENTRES = 16000, 2500  # of a link, at most
OVERSHOOTS = (0.008, 0.010, 0.012, 0.015, 0.018, 0.022, 0.027, 0.033, 0.040, 0.050)  # m
MOST = 12  # spheres for a link
LIMIT = 60  # spheres for a link that passes close by another
POSTURES = 20_000
DESCENT = 500  # further postures around the nearest one of a pair that seems never to meet
NEVER = 0.01  # m; more than the stop distance of the profiles: such a pair stops nothing
HEADER = '''\
# Collision spheres of {name}, and which links are not checked against each other.
# Written by `python tools/make_collision_spheres.py`; change it there. Units: m.
#
# spheres: link -> [x, y, z, radius], centres in the link's frame. They cover every shape of the
# link, decoration and camera included; no sphere sticks out of its link further than the overshoot.
# self_collision_ignore: neighbours; pairs that overlap in all of {postures} random postures; pairs
# that come nearer than {never:g} m in none, nor in a descent from the nearest one.
'''


class Solid:
    """A box, cylinder or sphere in a link's frame."""

    def __init__(self, shape: Any, T_link_shape: Any) -> None:
        self.R, self.p = np.array(T_link_shape.rotation), np.array(T_link_shape.translation)
        self.kind = type(shape).__name__
        if self.kind == 'Box':
            self.half = np.array(shape.halfSide)
        elif self.kind == 'Cylinder':
            self.radius, self.half_length = shape.radius, shape.halfLength
        elif self.kind == 'Sphere':
            self.radius = shape.radius
        else:
            raise SystemExit(f'{self.kind}: only boxes, cylinders and spheres are known')

    def depth(self, points: np.ndarray) -> np.ndarray:
        """Return how deep points (m, 3) are inside; negative: outside (a bound, not a distance)."""
        local = (points - self.p) @ self.R
        if self.kind == 'Box':
            return (self.half - np.abs(local)).min(axis=1)
        if self.kind == 'Cylinder':
            return np.minimum(self.radius - np.linalg.norm(local[:, :2], axis=1),
                              self.half_length - np.abs(local[:, 2]))
        return self.radius - np.linalg.norm(local, axis=1)

    def surface(self, spacing: float) -> np.ndarray:
        """Return points (m, 3) of the surface, at most ``spacing`` apart."""
        if self.kind == 'Box':
            local = _box_surface(self.half, spacing)
        elif self.kind == 'Cylinder':
            local = _cylinder_surface(self.radius, self.half_length, spacing)
        else:
            local = _sphere_surface(self.radius, spacing)
        return self.p + local @ self.R.T

    def inside(self, spacing: float) -> np.ndarray:
        """Return a grid of points (m, 3) inside, its middle on the solid's axes."""
        if self.kind == 'Box':
            half = self.half
        elif self.kind == 'Cylinder':
            half = np.array([self.radius, self.radius, self.half_length])
        else:
            half = np.full(3, self.radius)
        axes = [np.linspace(-h, h, 2 * max(1, round(h / spacing)) + 1) for h in half]
        local = np.stack(np.meshgrid(*axes, indexing='ij'), -1).reshape(-1, 3)
        points = self.p + local @ self.R.T
        return points[self.depth(points) >= -1e-9]


def _box_surface(half: np.ndarray, spacing: float) -> np.ndarray:
    axes = [np.linspace(-h, h, int(2 * h / spacing) + 2) for h in half]
    grid = np.stack(np.meshgrid(*axes, indexing='ij'), -1).reshape(-1, 3)
    return grid[(np.abs(np.abs(grid) - half) < 1e-9).any(axis=1)]


def _cylinder_surface(radius: float, half: float, spacing: float) -> np.ndarray:
    turns = np.linspace(0, 2 * np.pi, int(2 * np.pi * radius / spacing) + 3)[:-1]
    rings = [(radius, z) for z in np.linspace(-half, half, int(2 * half / spacing) + 2)]
    rings += [(r, z) for z in (-half, half)
              for r in np.linspace(0, radius, int(radius / spacing) + 2)]
    return np.array([(r * np.cos(t), r * np.sin(t), z) for r, z in rings for t in turns])


def _sphere_surface(radius: float, spacing: float) -> np.ndarray:
    n = max(24, int(4 * np.pi * radius**2 / spacing**2))
    z = 1 - (2 * np.arange(n) + 1) / n
    turn = np.pi * (3 - np.sqrt(5)) * np.arange(n)
    r = np.sqrt(1 - z * z)
    return radius * np.stack([r * np.cos(turn), r * np.sin(turn), z], axis=1)


def solids(urdf: Path) -> dict[str, list[Solid]]:
    """Return the shapes of each link, seen and felt, in the link's frame."""
    model = pin.buildModelFromUrdf(str(urdf))
    found: dict[str, list[Solid]] = {}
    for kind in (pin.GeometryType.COLLISION, pin.GeometryType.VISUAL):
        for body in pin.buildGeomFromUrdf(model, str(urdf), kind).geometryObjects:
            frame = model.frames[body.parentFrame]
            shape = body.geometry
            found.setdefault(frame.name, []).append(
                Solid(shape, frame.placement.actInv(body.placement)))
    return found


class Cover:
    """The spheres of one link; :meth:`tighten` makes them more and smaller."""

    def __init__(self, parts: list[Solid]) -> None:
        for spacing in SPACINGS:
            points = np.concatenate([part.surface(spacing) for part in parts])
            # A point inside another part needs no cover of its own.
            depth = np.max([part.depth(points) for part in parts], axis=0)
            points = points[depth <= 1e-6]
            if len(points) <= SAMPLES:
                break
        # What lies between four samples is at most half a diagonal away from one of them.
        self._slack = 0.71 * spacing + 1e-4
        grid = 0.004
        while len(centres := np.concatenate([part.inside(grid) for part in parts])) > CENTRES:
            grid *= 1.2
        self._centres, self.points = centres, points
        self._room = np.max([part.depth(centres) for part in parts], axis=0)
        self._most = np.full(len(centres), np.inf)  # radius [m]
        self._distance = _distances(centres, points)
        for overshoot in OVERSHOOTS:
            if self._take(overshoot, MOST):
                return
        raise SystemExit(f'{MOST} spheres that stick out {OVERSHOOTS[-1]} m do not cover the link')

    def keep_from(self, points: np.ndarray) -> None:
        """Take spheres that are nearer to their own link than to points (m, 3) of another.

        A point of a sphere is at least (distance of the centre - radius) from the other link, and
        at most (radius - room) out of its own.
        """
        away = _distances(self._centres, points).min(axis=1)
        self._most = np.minimum(self._most, 0.5 * (away + self._room) - 0.001)
        if not self._take(self._level, LIMIT):
            raise SystemExit(f'{LIMIT} spheres do not cover the link apart from another')

    def _take(self, overshoot: float, most: int) -> bool:
        most_radius = np.minimum(self._room + overshoot, self._most) - self._slack
        chosen = _greedy(self._distance <= most_radius[:, None], most)
        if chosen is None:
            return False
        radii = _shrunk(self._distance[chosen], most_radius[chosen]) + self._slack
        self.spheres = np.round(np.column_stack([self._centres[chosen], radii]), 4)
        self.overshoot = float((radii - self._room[chosen]).max())
        self._level = overshoot
        return True


def _distances(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    squared = (a**2).sum(1)[:, None] + (b**2).sum(1) - 2.0 * a @ b.T
    return np.sqrt(np.maximum(squared, 0.0)).astype(np.float32)


def cover_all(urdf: Path, home: dict[str, float],
              ignore: dict[str, list[str]]) -> dict[str, Cover]:
    """Return the spheres of every link, apart from each other at home where the links are."""
    covers = {link: Cover(parts) for link, parts in solids(urdf).items()}
    model = pin.buildModelFromUrdf(str(urdf))
    q = pin.neutral(model)
    for name, value in home.items():
        q[model.idx_qs[model.getJointId(name)]] = value
    data = model.createData()
    pin.framesForwardKinematics(model, data, q)
    for a, b in list(_overlaps(covers, model, data, ignore)):
        T_a_b = data.oMf[model.getFrameId(a)].actInv(data.oMf[model.getFrameId(b)])
        points_a, points_b = covers[a].points, covers[b].points
        covers[a].keep_from(points_b @ T_a_b.rotation.T + T_a_b.translation)
        covers[b].keep_from((points_a - T_a_b.translation) @ T_a_b.rotation)
    return covers


def _overlaps(covers: dict[str, Cover], model: Any, data: Any,
              ignore: dict[str, list[str]]) -> Iterator[tuple[str, str]]:
    at = {link: data.oMf[model.getFrameId(link)] for link in covers}
    for a, b in itertools.combinations(covers, 2):
        if b in ignore.get(a, ()) or a in ignore.get(b, ()):
            continue
        near = at[a].actInv(at[b])
        ours, theirs = covers[a].spheres, covers[b].spheres
        there = theirs[:, :3] @ near.rotation.T + near.translation
        gap = (np.linalg.norm(ours[:, None, :3] - there[None], axis=2)
               - ours[:, 3][:, None] - theirs[:, 3])
        if gap.min() <= 0.001:
            yield a, b


def _shrunk(distance: np.ndarray, radii: np.ndarray) -> np.ndarray:
    """Return radii (k,) no larger than what each sphere alone has to cover, the largest first."""
    radii = radii.copy()
    covers = distance <= radii[:, None]
    for row in np.argsort(-radii):
        alone = covers[row] & (covers.sum(axis=0) == 1)
        radii[row] = distance[row, alone].max(initial=0.0) + 1e-4
        covers[row] = distance[row] <= radii[row]
    return radii


def _greedy(covers: np.ndarray, most: int) -> list[int] | None:
    """Return the rows that together cover every column; None when it takes more than ``most``."""
    left = np.ones(covers.shape[1], dtype=bool)
    chosen: list[int] = []
    while left.any():
        gain = covers[:, left].sum(axis=1)
        best = int(gain.argmax())
        if gain[best] == 0 or len(chosen) == most:
            return None
        chosen.append(best)
        left &= ~covers[best]
    # What came later may cover what an early choice was taken for.
    for row in list(chosen):
        rest = [other for other in chosen if other != row]
        if rest and covers[rest].any(axis=0).all():
            chosen = rest
    return chosen


class Postures:
    """Distances between the links of an arm, fingers included, in any posture."""

    def __init__(self, urdf: Path, joints: tuple[str, ...], lower: np.ndarray,
                 upper: np.ndarray) -> None:
        self.model = pin.buildModelFromUrdf(str(urdf))
        self.shapes = pin.buildGeomFromUrdf(self.model, str(urdf), pin.GeometryType.COLLISION)
        self.shapes.addAllCollisionPairs()
        self.data, self.placed = self.model.createData(), self.shapes.createData()
        links = [self.model.frames[b.parentFrame].name for b in self.shapes.geometryObjects]
        self.links = list(dict.fromkeys(links))
        index = np.array([self.links.index(link) for link in links])
        first = index[[p.first for p in self.shapes.collisionPairs]]
        second = index[[p.second for p in self.shapes.collisionPairs]]
        self._cell = first * len(self.links) + second
        self.lower = np.array(self.model.lowerPositionLimit)
        self.upper = np.array(self.model.upperPositionLimit)
        arm = [self.model.idx_qs[self.model.getJointId(name)] for name in joints]
        self.lower[arm], self.upper[arm] = lower, upper

    def distances(self, q: np.ndarray) -> np.ndarray:
        """Return (L, L) distances between links, the first one earlier in the chain."""
        pin.computeDistances(self.model, self.data, self.shapes, self.placed, q)
        out = np.full(len(self.links)**2, np.inf)
        np.minimum.at(out, self._cell,
                      [result.min_distance for result in self.placed.distanceResults])
        return out.reshape(len(self.links), -1)

    def random(self, rng: np.random.Generator) -> np.ndarray:
        """Return a posture; every fourth joint is on one of its limits, where arms fold."""
        q = rng.uniform(self.lower, self.upper)
        kind = rng.integers(8, size=len(q))
        return np.where(kind == 0, self.lower, np.where(kind == 1, self.upper, q))


def ignored(postures: Postures, seed: int = 0) -> dict[str, list[str]]:
    """Return link -> links that need not be checked against it, each pair once."""
    rng = np.random.default_rng(seed)
    links = postures.links
    nearest = np.full((len(links), len(links)), np.inf)
    farthest = -nearest
    at: dict[tuple[int, int], np.ndarray] = {}
    for _ in range(POSTURES):
        q = postures.random(rng)
        distances = postures.distances(q)
        for i, j in np.argwhere(distances < nearest):
            at[i, j] = q
        nearest = np.minimum(nearest, distances)
        farthest = np.maximum(farthest, np.where(np.isinf(distances), -np.inf, distances))
    neighbours = _neighbours(postures.model, postures.shapes)
    found: dict[str, list[str]] = {}
    for i, a in enumerate(links):
        for j, b in enumerate(links[i + 1:], start=i + 1):
            # Two links that are fixed to each other have no distance in the model; fingers meet.
            if ((a, b) in neighbours or (b, a) in neighbours or farthest[i, j] <= 0.0
                    or _nearest_from(postures, at[i, j], i, j, rng) > NEVER):
                found.setdefault(a, []).append(b)
    return found


def _nearest_from(postures: Postures, q: np.ndarray, i: int, j: int,
                  rng: np.random.Generator) -> float:
    """Return the least distance of two links that a random descent from a posture finds."""
    best = postures.distances(q)[i, j]
    width = 0.3 * (postures.upper - postures.lower)
    for step in range(DESCENT):
        if best <= NEVER:
            break
        trial = np.clip(q + rng.normal(size=len(q)) * width * 0.99**step,
                        postures.lower, postures.upper)
        distance = postures.distances(trial)[i, j]
        if distance < best:
            q, best = trial, distance
    return float(best)


def _neighbours(model: Any, shapes: Any) -> set[tuple[str, str]]:
    """Return pairs of links that share a joint, are fixed to the same one, or are both fingers."""
    joint_of = {model.frames[b.parentFrame].name: b.parentJoint for b in shapes.geometryObjects}
    return {(a, b) for a, i in joint_of.items() for b, j in joint_of.items()
            if a != b and (i == j or (j > 0 and model.parents[j] in (i, model.parents[i])))}


def write(name: str, spheres: dict[str, np.ndarray], ignore: dict[str, list[str]]) -> Path:
    """Write the file of one robot."""
    lines = [HEADER.format(name=name, postures=POSTURES, never=NEVER).rstrip(),
             f'robot: {name}', 'spheres:']
    for link, rows in spheres.items():
        lines.append(f'  {link}:')
        lines += [f'    - [{", ".join(f"{value:.4f}" for value in row)}]' for row in rows]
    lines.append('self_collision_ignore:')
    lines += [f'  {a}: [{", ".join(bs)}]' for a, bs in ignore.items()]
    path = FOLDER / 'config' / 'collision' / f'{name}.yaml'
    path.parent.mkdir(exist_ok=True)
    path.write_text('\n'.join(lines) + '\n', encoding='utf-8')
    return path


def draw(name: str, spheres: dict[str, np.ndarray], folder: Path, size: int = 480) -> None:
    """Render the arm at home from two sides, bare and with its spheres, into one picture."""
    from vla_ros.sim import gl

    os.environ[gl.VARIABLE] = gl.choose_backend()  # read when mujoco is imported
    import cv2
    import mujoco

    profile = load_profile(name)
    spec = mujoco.MjSpec.from_file(str(profile.urdf_path))
    spec.visual.global_.offwidth = spec.visual.global_.offheight = size
    spec.worldbody.add_light(pos=[1, -1, 2.5], dir=[-0.4, 0.4, -1])
    spec.worldbody.add_light(pos=[-1, 1, 2.5], dir=[0.4, -0.4, -1])
    spec.add_texture(name='sky', type=mujoco.mjtTexture.mjTEXTURE_SKYBOX, width=64, height=64,
                     builtin=mujoco.mjtBuiltin.mjBUILTIN_GRADIENT,
                     rgb1=[0.75, 0.82, 0.9], rgb2=[0.95, 0.96, 0.97])
    hues = [colorsys.hsv_to_rgb(5 * i / 13 % 1, 0.8, 0.9) for i in range(len(spheres))]
    for colour, (link, rows) in zip(hues, spheres.items(), strict=True):
        body = spec.body(link) or spec.worldbody
        for x, y, z, radius in rows:
            site = body.add_site(pos=[x, y, z], size=[radius] * 3, rgba=[*colour, 0.35], group=4)
            site.type = mujoco.mjtGeom.mjGEOM_SPHERE
    model = spec.compile()
    data = mujoco.MjData(model)
    for joint, value in zip(profile.joints.names, profile.joints.home, strict=True):
        data.joint(joint).qpos[0] = value
    for joint, factor in profile.gripper.fingers.items():
        data.joint(joint).qpos[0] = factor * profile.gripper.open
    mujoco.mj_forward(model, data)
    option = mujoco.MjvOption()
    rows = []
    with mujoco.Renderer(model, size, size) as renderer:
        for azimuth in (60, 150):
            camera = mujoco.MjvCamera()
            camera.lookat[:] = (data.site_xpos.min(axis=0) + data.site_xpos.max(axis=0)) / 2
            camera.distance = 1.7 * float(np.ptp(data.site_xpos, axis=0).max() + 0.1)
            camera.azimuth, camera.elevation = azimuth, -15
            row = []
            for shown in (0, 1):
                option.sitegroup[4] = shown
                renderer.update_scene(data, camera, option)
                row.append(renderer.render())
            rows.append(np.hstack(row))
    folder.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(folder / f'spheres_{name}.jpg'), np.vstack(rows)[..., ::-1],
                [cv2.IMWRITE_JPEG_QUALITY, 85])


def main() -> None:
    """Make the files, and the pictures when a folder for them is given."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--robots', nargs='+', default=robot_names())
    parser.add_argument('--pictures', type=Path, metavar='FOLDER')
    args = parser.parse_args()
    for name in args.robots:
        profile = load_profile(name)
        ignore = ignored(Postures(profile.urdf_path, profile.joints.names, profile.joints.lower,
                                  profile.joints.upper))
        home = dict(zip(profile.joints.names, profile.joints.home, strict=True))
        spheres = {}
        for link, cover in cover_all(profile.urdf_path, home, ignore).items():
            spheres[link] = cover.spheres
            print(f'{name} {link}: {len(cover.spheres)} spheres, {1e3 * cover.overshoot:.0f} mm')
        print(name, sum(map(len, spheres.values())), 'spheres, ignored', ignore,
              write(name, spheres, ignore))
        if args.pictures:
            draw(name, spheres, args.pictures)


if __name__ == '__main__':
    main()
