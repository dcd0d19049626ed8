"""Pictures show what the world holds, where the intrinsics say, from whichever library draws."""

import os
import subprocess
import sys
import threading

import numpy as np
import pytest

from vla_ros.core.errors import ConfigError, DependencyError, InvariantError
from vla_ros.robots import load_profile

pytest.importorskip('mujoco')

from vla_ros.sim import gl
from vla_ros.sim.camera import SimCameras
from vla_ros.sim.world import SimWorld

pytestmark = pytest.mark.sim


@pytest.fixture(scope='module')
def _can_draw():
    try:
        gl.choose_backend()
    except DependencyError as error:
        pytest.skip(str(error))


@pytest.fixture(scope='module')
def world(_can_draw):
    return SimWorld(load_profile('piper'), seed=1)


@pytest.fixture(scope='module')
def cameras(world):
    with SimCameras(world) as opened:
        yield opened


def is_colour(pixel, name):
    r, g, b = (int(value) for value in pixel)
    return {'red': r > 1.7 * max(g, b), 'green': g > 1.25 * max(r, b), 'blue': b > 1.4 * max(r, g),
            'yellow': min(r, g) > 1.7 * b}[name]


def test_both_cameras_give_rgb_pictures_of_the_size_asked_for(world):
    with SimCameras(world, width=128, height=96) as cameras:
        assert cameras.names == ('third_person', 'wrist')
        pictures = cameras.render()
    for picture in pictures.values():
        assert picture.shape == (96, 128, 3)
        assert picture.dtype == np.uint8
        assert picture.flags.c_contiguous
        assert picture.std() > 10


def test_objects_appear_where_intrinsics_and_extrinsics_put_them(world, cameras):
    picture = cameras.render_one('third_person')
    K, T = cameras.intrinsics('third_person'), cameras.T_base_camera('third_person')
    seen = 0
    for colour in ('red', 'green', 'blue', 'yellow'):
        top = world.frames()[f'cube_{colour}'][:3, 3] + [0, 0, world.settings.cubes.width / 2]
        x, y, depth = K @ (T[:3, :3].T @ (top - T[:3, 3]))
        u, v = round(x / depth), round(y / depth)
        assert 0 <= u < 256
        assert 0 <= v < 256
        seen += is_colour(picture[v, u], colour)
    assert seen >= 3  # one may be hidden behind another or the pole


def test_the_wrist_camera_sees_the_point_between_the_fingers_below_the_middle(world, cameras):
    K, T = cameras.intrinsics('wrist'), cameras.T_base_camera('wrist')
    x, y, depth = K @ (T[:3, :3].T @ (world.T_base_tool[:3, 3] - T[:3, 3]))
    assert depth > 0.05
    assert abs(x / depth - 127.5) < 3
    assert 100 < y / depth < 240


def test_a_snapshot_can_be_drawn_after_the_world_has_moved_on(world, cameras):
    world.reset(1)
    snapshot = world.snapshot()
    then = cameras.render(snapshot)
    world.command(world.profile.joints.home + 0.2, 0.0)
    world.step(200)
    later, again = cameras.render(), cameras.render(snapshot)
    for name in cameras.names:
        assert np.array_equal(then[name], again[name])
        assert not np.array_equal(then[name], later[name])
    world.reset(1)


def test_pictures_follow_a_reset_that_moves_hook_and_objects(world, cameras):
    world.reset(5)
    first = cameras.render_one('third_person')
    world.reset(6)
    second = cameras.render_one('third_person')
    world.reset(5)
    assert np.array_equal(first, cameras.render_one('third_person'))
    assert (first != second).mean() > 0.01


def test_drawing_in_a_thread_while_physics_runs_changes_nothing_of_the_physics(world):
    def run(with_cameras):
        world.reset(2)
        world.command(world.profile.joints.home + 0.1, 0.01)
        pictures, stop = [], threading.Event()

        def draw():
            with SimCameras(world, 64, 64) as cameras:
                while not stop.is_set():
                    pictures.append(cameras.render())

        thread = threading.Thread(target=draw)
        if with_cameras:
            thread.start()
        for _ in range(200):
            world.step(5)
        stop.set()
        if with_cameras:
            thread.join()
        return world.data.qpos.tobytes(), len(pictures)

    alone, _ = run(False)
    together, count = run(True)
    assert count >= 1
    assert alone == together


def test_another_thread_than_the_one_that_opened_the_context_is_refused(cameras):
    cameras.render()
    errors = []

    def draw():
        try:
            cameras.render()
        except InvariantError as error:
            errors.append(str(error))

    thread = threading.Thread(target=draw)
    thread.start()
    thread.join()
    assert len(errors) == 1
    assert 'one thread' in errors[0]


def test_an_unknown_camera_and_a_silly_size_are_refused(world, cameras):
    with pytest.raises(ConfigError, match='third_person, wrist'):
        cameras.render_one('front')
    with pytest.raises(ConfigError, match='width'):
        SimCameras(world, width=0)


_DRAW = """
import sys
import numpy as np
from vla_ros.robots import load_profile
from vla_ros.sim.camera import SimCameras
from vla_ros.sim.world import SimWorld
cameras = SimCameras(SimWorld(load_profile('piper'), seed=1), 64, 64)
np.save(sys.argv[1], cameras.render()['third_person'])
print(cameras.backend)
cameras.close()
"""


@pytest.mark.parametrize('backend', gl.BACKENDS)
def test_the_library_named_in_the_environment_is_used_and_draws_the_same(
        backend, world, cameras, tmp_path, repo_root):
    if gl._probe(backend):
        pytest.skip(f'{backend} is not installed here')
    path = tmp_path / 'picture.npy'
    environment = {**os.environ, gl.VARIABLE: backend, 'PYTHONPATH': str(repo_root)}
    environment.pop('PYOPENGL_PLATFORM', None)
    done = subprocess.run([sys.executable, '-c', _DRAW, str(path)], env=environment, check=True,
                          capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == backend
    world.reset(1)
    with SimCameras(world, 64, 64) as here:
        mine = here.render()['third_person'].astype(int)
    assert np.abs(np.load(path) - mine).mean() < 3


@pytest.fixture
def _fresh_choice():
    gl.choose_backend.cache_clear()
    yield
    gl.choose_backend.cache_clear()


@pytest.mark.usefixtures('_fresh_choice')
def test_when_nothing_draws_the_error_says_what_to_install(monkeypatch):
    monkeypatch.delenv(gl.VARIABLE, raising=False)
    monkeypatch.setattr(gl.sys, 'executable', '/bin/false')
    with pytest.raises(DependencyError, match=r'libegl1.*libosmesa6') as caught:
        gl.choose_backend()
    assert 'egl' in str(caught.value)
    assert 'osmesa' in str(caught.value)


@pytest.mark.usefixtures('_fresh_choice')
def test_the_next_library_is_tried_when_the_first_does_not_work(monkeypatch):
    monkeypatch.delenv(gl.VARIABLE, raising=False)
    monkeypatch.setattr(gl, '_probe', lambda backend: 'broken' if backend == 'egl' else '')
    assert gl.choose_backend() == 'osmesa'


@pytest.mark.usefixtures('_fresh_choice')
def test_a_wish_of_the_user_is_not_overruled(monkeypatch):
    monkeypatch.setenv(gl.VARIABLE, 'osmesa')
    monkeypatch.setattr(gl, '_probe', lambda backend: 'broken' if backend == 'osmesa' else '')
    with pytest.raises(DependencyError, match=r'MUJOCO_GL=osmesa does not work.*broken'):
        gl.choose_backend()


@pytest.mark.usefixtures('_fresh_choice')
def test_a_library_that_needs_a_screen_is_refused_with_the_choices(monkeypatch):
    monkeypatch.setenv(gl.VARIABLE, 'glfw')
    with pytest.raises(ConfigError, match='egl, osmesa'):
        gl.choose_backend()
