"""Distances within the real arms and to the table, and the gate that keeps them."""

import math

import numpy as np
import pytest

pin = pytest.importorskip('pinocchio')

from vla_ros.assembly import joint_limits  # noqa: E402
from vla_ros.core.limits import ClearanceLimits, KeepOut  # noqa: E402
from vla_ros.core.safety import JointGate  # noqa: E402
from vla_ros.ik.collision import PinocchioClearance  # noqa: E402
from vla_ros.ik.collision_config import load_collision_config  # noqa: E402
from vla_ros.robots import load_profile, robot_names  # noqa: E402

DT = 0.01
LIMITS = ClearanceLimits(slow_distance=0.05, stop_distance=0.008, finger_slow_distance=0.02,
                         finger_stop_distance=0.0005, approach_speed=0.25)
TABLE = KeepOut('table', [-2, -2, -1], [2, 2, 0])
FAR = ClearanceLimits(9.0, 8.0, 9.0, 8.0, 0.25)  # everything is near


def clearance(profile, limits=LIMITS, keep_out=(TABLE,)):
    return PinocchioClearance(profile, limits, keep_out, load_collision_config(profile.name))


@pytest.fixture(params=robot_names())
def profile(request):
    return load_profile(request.param)


def postures(profile, n, seed=0):
    rng = np.random.default_rng(seed)
    return [rng.uniform(profile.joints.lower, profile.joints.upper) for _ in range(n)]


def lowest_point(profile, link, q):
    """Return the lowest z of a link's collision shapes [m]: their support function downward."""
    model = pin.buildModelFromUrdf(str(profile.urdf_path))
    shapes = pin.buildGeomFromUrdf(model, str(profile.urdf_path), pin.GeometryType.COLLISION)
    full = pin.neutral(model)
    for name, value in zip(profile.joints.names, q, strict=True):
        full[model.idx_qs[model.getJointId(name)]] = value
    data, placed = model.createData(), shapes.createData()
    pin.updateGeometryPlacements(model, data, shapes, placed, full)
    lowest = []
    for body, T in zip(shapes.geometryObjects, placed.oMg, strict=True):
        if model.frames[body.parentFrame].name != link:
            continue
        shape, z = body.geometry, T.rotation[2]
        if type(shape).__name__ == 'Box':
            reach = np.abs(z) @ shape.halfSide
        elif type(shape).__name__ == 'Cylinder':
            reach = shape.halfLength * abs(z[2]) + shape.radius * math.hypot(z[0], z[1])
        else:
            reach = shape.radius
        lowest.append(T.translation[2] - reach)
    return min(lowest)


def test_the_distance_to_the_table_is_the_lowest_points_height(profile):
    checked = clearance(profile, FAR)
    link = load_collision_config(profile.name)
    arm = [name for name in link.spheres if 'finger' not in name and name not in ('link7', 'link8')]
    for q in postures(profile, 30):
        to_table = {}
        for p in checked.near(q):
            if p.names[1] == 'table':
                to_table[p.names[0]] = min(to_table.get(p.names[0], 9.0), p.distance)
        assert set(arm[1:]) <= set(to_table), 'every link but the base'
        for name in arm[1:]:
            lowest = lowest_point(profile, name, q)
            if lowest > 0.0:
                assert to_table[name] == pytest.approx(lowest, abs=1e-5)
            else:
                assert to_table[name] <= 1e-5


def test_the_gradient_is_the_change_of_the_distance(profile):
    checked, step = clearance(profile), 1e-4
    rng = np.random.default_rng(1)
    errors = []
    for q in postures(profile, 100):
        near = checked.near(q)
        dq = rng.normal(size=len(q))
        after = {p.pair: p.distance for p in checked.near(q + step * dq)}
        before = {p.pair: p.distance for p in checked.near(q - step * dq)}
        errors += [abs((after[p.pair] - before[p.pair]) / (2 * step) - p.gradient @ dq)
                   for p in near if p.pair in after and p.pair in before and p.distance > 0.0]
    assert len(errors) > 100
    assert np.percentile(errors, 99) < 0.01  # m/rad; where an edge turns there is no gradient


def test_what_is_skipped_because_it_cannot_be_near_yet_is_never_near(profile):
    """The quick check, which remembers distances, against one that has nothing to remember."""
    quick, rng = clearance(profile), np.random.default_rng(2)
    q = np.array(profile.joints.home)
    for tick in range(120):
        step = rng.normal(size=len(q)) * (0.3 if tick % 20 == 0 else 0.01)
        q = np.clip(q + step, profile.joints.lower, profile.joints.upper)
        slow = clearance(profile) if tick % 4 == 0 else None
        if slow is None:
            quick.distances(q)
            continue
        found = {p.pair: p.distance for p in quick.near(q)}
        expected = {p.pair: p.distance for p in slow.near(q)}
        assert found.keys() == expected.keys()
        assert all(abs(found[k] - expected[k]) < 1e-5 for k in found)
        assert dict(quick.distances(q)).keys() == dict(slow.distances(q)).keys()


def test_at_home_nothing_is_too_near(profile):
    assert clearance(profile).distances(np.array(profile.joints.home)) == []


def test_a_box_in_the_way_is_seen_and_named(profile):
    tip = PinocchioClearance(profile, LIMITS, [], load_collision_config(profile.name))
    assert all(names[1] != 'post' for names in tip.pairs)
    post = KeepOut('post', [0.2, -0.05, 0.1], [0.9, 0.05, 0.9])
    seen = clearance(profile, keep_out=[post]).distances(np.array(profile.joints.home))
    assert seen and min(d for _, d in seen) < 0.0


def drive(profile, goals, ticks, seed_q=None):
    """Send goals through a gate; return the smallest distance over its stop distance [m]."""
    gate = JointGate(joint_limits(profile), 0.3, clearance(profile), LIMITS.approach_speed)
    witness = clearance(profile)
    q = np.array(profile.joints.home if seed_q is None else seed_q)
    v, least, acted = np.zeros(len(q)), math.inf, set()
    for tick in range(ticks):
        gated = gate(goals(tick, q), q, v, DT)
        q, v = gated.q, gated.velocity
        acted |= {a.split(' ', 1)[0] for a in gated.acted}
        least = min([least, *(p.distance - p.stop for p in witness.near(q))])
    return least, acted, q


def test_random_motion_at_full_speed_touches_nothing(profile):
    rng = np.random.default_rng(3)
    direction = np.zeros(6)

    def goals(tick, q):
        nonlocal direction
        if tick % 25 == 0:
            direction = rng.normal(size=6) * rng.choice([0.003, 0.02, 0.1])
        return q + np.clip(direction, -0.29, 0.29)

    least, acted, _ = drive(profile, goals, 1500)
    assert least > -1e-4
    assert 'clearance' in acted


@pytest.mark.parametrize(('robot', 'joint', 'way'), [
    ('piper', 1, 0.02), ('piper', 2, -0.02), ('ur5e', 1, 0.02), ('ur5e', 2, 0.02),
    ('ur3e', 2, 0.02), ('ur10e', 2, 0.02)])
def test_one_joint_driven_into_the_table_or_the_own_base_ends_short_of_it(robot, joint, way):
    profile = load_profile(robot)
    push = np.zeros(6)
    push[joint] = way
    least, _, q = drive(profile, lambda tick, q: q + push, 400)
    assert least > -1e-4
    # And out again: the gate holds what comes nearer, not what leaves.
    _, _, back = drive(profile, lambda tick, q: q - push, 50, seed_q=q)
    assert abs(back[joint] - q[joint]) > 0.1
