"""The collision spheres cover the links, are not much larger, and the ignore lists are right."""

import numpy as np
import pytest

from vla_ros.core.errors import ConfigError
from vla_ros.ik.collision_config import load_collision_config
from vla_ros.robots import load_profile, robot_names

pin = pytest.importorskip('pinocchio')


@pytest.fixture(params=robot_names())
def robot(request):
    return load_profile(request.param), load_collision_config(request.param)


def link_shapes(profile):
    """Yield (link, shape, rotation, position) of every shape of the URDF, in its link's frame."""
    model = pin.buildModelFromUrdf(str(profile.urdf_path))
    for kind in (pin.GeometryType.COLLISION, pin.GeometryType.VISUAL):
        for body in pin.buildGeomFromUrdf(model, str(profile.urdf_path), kind).geometryObjects:
            frame = model.frames[body.parentFrame]
            T = frame.placement.actInv(body.placement)
            yield frame.name, body.geometry, np.array(T.rotation), np.array(T.translation)


def surface(shape, n, rng):
    """Return random points of a shape's surface (n, 3), edges and rims among them."""
    kind = type(shape).__name__
    if kind == 'Sphere':
        p = rng.normal(size=(n, 3))
        return shape.radius * p / np.linalg.norm(p, axis=1)[:, None]
    u = rng.uniform(-1, 1, (n, 3))
    if kind == 'Box':
        face = rng.integers(3, size=n)
        u[np.arange(n), face] = np.sign(u[np.arange(n), face])
        edge = rng.integers(3, size=n)
        half = n // 2
        u[np.arange(half), edge[:half]] = np.sign(u[np.arange(half), edge[:half]])
        return u * shape.halfSide
    turn, side = np.pi * u[:, 0], rng.integers(3, size=n)
    radius = shape.radius * np.where(side == 0, np.sqrt(np.abs(u[:, 1])), 1.0)
    z = shape.halfLength * np.where(side == 1, u[:, 2], np.sign(u[:, 2]))  # side 2: the rim
    return np.stack([radius * np.cos(turn), radius * np.sin(turn), z], axis=1)


def depth(shape, local):
    """Return how deep points (n, 3) in the shape's frame are inside; at most the true distance."""
    kind = type(shape).__name__
    if kind == 'Sphere':
        return shape.radius - np.linalg.norm(local, axis=1)
    if kind == 'Box':
        return (shape.halfSide - np.abs(local)).min(axis=1)
    return np.minimum(shape.radius - np.linalg.norm(local[:, :2], axis=1),
                      shape.halfLength - np.abs(local[:, 2]))


def test_every_point_of_every_links_surface_lies_within_a_sphere(robot):
    profile, config = robot
    rng = np.random.default_rng(5)
    links = set()
    for link, shape, R, p in link_shapes(profile):
        points = p + surface(shape, 3000, rng) @ R.T
        spheres = config.spheres[link]
        gap = (np.linalg.norm(points[:, None] - spheres[None, :, :3], axis=2)
               - spheres[:, 3]).min(axis=1)
        assert gap.max() <= 1e-4, f'{link}: {1e3 * gap.max():.2f} mm outside'
        links.add(link)
    assert links == set(config.spheres)


def test_no_sphere_sticks_far_out_of_its_link(robot):
    profile, config = robot
    shapes = list(link_shapes(profile))
    for link, spheres in config.spheres.items():
        inside = np.max([depth(shape, (spheres[:, :3] - p) @ R)
                         for name, shape, R, p in shapes if name == link], axis=0)
        assert (inside >= -1e-4).all(), f'{link}: a sphere is centred outside'
        sticks_out = (spheres[:, 3] - inside).max()
        size = np.linalg.norm(np.ptp(spheres[:, :3], axis=0)) + spheres[:, 3].max()
        assert sticks_out <= min(0.05, 0.6 * size) + 1e-4, f'{link}: {1e3 * sticks_out:.0f} mm'
    assert sum(map(len, config.spheres.values())) <= 130


def test_at_home_no_two_links_spheres_overlap_unless_they_are_ignored(robot):
    profile, config = robot
    model = pin.buildModelFromUrdf(str(profile.urdf_path))
    q = pin.neutral(model)
    for name, value in zip(profile.joints.names, profile.joints.home, strict=True):
        q[model.idx_qs[model.getJointId(name)]] = value
    data = model.createData()
    pin.framesForwardKinematics(model, data, q)
    at = {}
    for link, spheres in config.spheres.items():
        T = data.oMf[model.getFrameId(link)]
        at[link] = spheres[:, :3] @ T.rotation.T + T.translation
    names = list(at)
    overlapping = []
    for i, a in enumerate(names):
        for b in names[i + 1:]:
            if config.ignored(a, b):
                continue
            gap = (np.linalg.norm(at[a][:, None] - at[b][None], axis=2)
                   - config.spheres[a][:, 3][:, None] - config.spheres[b][:, 3])
            if gap.min() < 0.0:
                overlapping.append(f'{a} {b} {1e3 * gap.min():.0f} mm')
    assert overlapping == [], overlapping


def test_neighbours_are_ignored_and_every_other_ignored_pair_stays_apart(robot):
    profile, config = robot
    model = pin.buildModelFromUrdf(str(profile.urdf_path))
    shapes = pin.buildGeomFromUrdf(model, str(profile.urdf_path), pin.GeometryType.COLLISION)
    shapes.addAllCollisionPairs()
    link = [model.frames[b.parentFrame].name for b in shapes.geometryObjects]
    joint = {name: b.parentJoint for name, b in zip(link, shapes.geometryObjects, strict=True)}
    pairs = []
    for k, pair in enumerate(shapes.collisionPairs):
        a, b = link[pair.first], link[pair.second]
        siblings = model.parents[joint[a]] == model.parents[joint[b]]  # the fingers; they meet
        if model.parents[joint[b]] == joint[a] or siblings:
            assert config.ignored(a, b), f'{a} {b}'
        elif config.ignored(a, b):
            pairs.append(k)
    data, placed = model.createData(), shapes.createData()
    rng = np.random.default_rng(11)
    for _ in range(300):
        q = rng.uniform(model.lowerPositionLimit, model.upperPositionLimit)
        pin.updateGeometryPlacements(model, data, shapes, placed, q)
        for k in pairs:
            distance = pin.computeDistance(shapes, placed, k).min_distance
            names = link[shapes.collisionPairs[k].first], link[shapes.collisionPairs[k].second]
            assert distance > 0.009, names


def test_each_ignored_pair_stands_there_once(robot):
    _, config = robot
    pairs = [frozenset((a, b)) for a, bs in config.ignore.items() for b in bs]
    assert len(pairs) == len(set(pairs))
    assert all(len(pair) == 2 for pair in pairs)


@pytest.mark.parametrize(('text', 'match'), [
    ('robot: x\nspheres: {a: [[0, 0, 0, 0.1]]}\nself_collision_ignore: {a: [b]}\n',
     'links with spheres'),
    ('robot: x\nspheres: {a: [[0, 0, 0, -0.1]]}\nself_collision_ignore: {}\n', 'radius > 0'),
    ('robot: x\nspheres: {a: [[0, 0, 0]]}\nself_collision_ignore: {}\n', 'radius > 0'),
    ('robot: x\nspheres: {a: [[0, 0, .nan, 0.1]]}\nself_collision_ignore: {}\n', 'finite'),
    ('robot: x\nspheres: {a: [[0, 0, 0, 0.1]]}\nself_collision_ignore: {}\nmore: 1\n',
     'unknown key'),
])
def test_a_file_that_is_wrong_is_refused_by_name(tmp_path, text, match):
    path = tmp_path / 'arm.yaml'
    path.write_text(text)
    with pytest.raises(ConfigError, match=match) as raised:
        load_collision_config(path)
    assert str(path) in str(raised.value)


def test_a_robot_without_a_file_is_refused_with_the_choices():
    with pytest.raises(ConfigError, match=r'Did you mean .ur5e.'):
        load_collision_config('ur5')
