"""package.xml, setup.py, the changelog and what gets installed say the same."""

from __future__ import annotations

import ast
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

import vla_ros

ROOT = Path(__file__).resolve().parent.parent
SHARED_FOLDERS = ('config', 'launch', 'urdf', 'web')

ROS_ONLY = 'comes with a ROS installation, not from PyPI'
PYPI_ONLY = 'has no rosdep key'

# rosdep key -> the requirement of setup.py that brings the same. Several keys may share one wheel.
SAME = {
    'rclpy': 'ros-rclpy',
    'ament_index_python': 'ros-rclpy',
    'builtin_interfaces': 'ros-rclpy',
    'rcl_interfaces': 'ros-rclpy',
    'rosgraph_msgs': 'ros-rclpy',
    'lifecycle_msgs': 'ros-lifecycle-msgs',
    'diagnostic_msgs': 'ros-common-interfaces',
    'geometry_msgs': 'ros-common-interfaces',
    'sensor_msgs': 'ros-common-interfaces',
    'std_msgs': 'ros-common-interfaces',
    'std_srvs': 'ros-common-interfaces',
    'trajectory_msgs': 'ros-common-interfaces',
    'visualization_msgs': 'ros-common-interfaces',
    'launch': ROS_ONLY,      # `vla-ros up` does its work there
    'launch_ros': ROS_ONLY,
    'cv_bridge': ROS_ONLY,   # rare encodings; the common ones are decoded here
    'pinocchio': 'pin',
    'python3-fastapi': 'fastapi',
    'python3-hypothesis': 'hypothesis',
    'python3-matplotlib': 'matplotlib',
    'python3-mujoco-pip': 'mujoco',
    'python3-numpy': 'numpy',
    'python3-opencv': 'opencv-python-headless',
    'python3-pil': 'pillow',
    'python3-pytest': 'pytest',
    'python3-setuptools': 'setuptools',
    'python3-uvicorn': 'uvicorn',
    'python3-websockets': 'websockets',
    'python3-yaml': 'PyYAML',
}
WITHOUT_KEY = dict.fromkeys(
    ('accelerate', 'av', 'bitsandbytes', 'mypy', 'peft', 'pyarrow', 'pytest-xdist', 'rerun-sdk',
     'rosbags', 'ruff', 'safetensors', 'selenium', 'simplejpeg', 'tokenizers', 'torch',
     'transformers', 'types-PyYAML'), PYPI_ONLY)

# Import name -> rosdep key or requirement, where they differ.
IMPORTED_AS = {
    'PIL': 'python3-pil',
    'coal': 'pinocchio',      # these three come with it
    'eigenpy': 'pinocchio',
    'hppfcl': 'pinocchio',
    'cv2': 'python3-opencv',
    'fastapi': 'python3-fastapi',
    'uvicorn': 'python3-uvicorn',
    'matplotlib': 'python3-matplotlib',
    'mujoco': 'python3-mujoco-pip',
    'numpy': 'python3-numpy',
    'rerun': 'rerun-sdk',
    'xdist': 'pytest-xdist',
    'yaml': 'python3-yaml',
}
# Needed though no line imports it: the types of a lifecycle node's own services, and what uvicorn
# speaks to browsers with.
INDIRECT = {'lifecycle_msgs', 'python3-websockets'}
# Installed by the user from its repository; the error says how. pytest: whoever loads a plugin of
# pytest has it.
BY_HAND = {'curobo', 'pytest'}


@pytest.fixture(scope='module')
def manifest() -> ElementTree.Element:
    return ElementTree.parse(ROOT / 'package.xml').getroot()


@pytest.fixture(scope='module')
def metadata() -> dict:
    """What setup.py says, read in the way colcon reads it."""
    script = (
        'import json, setuptools, distutils.core as core\n'
        "d = core.run_setup('setup.py', stop_after='init')\n"
        'print(json.dumps({"version": d.get_version(), "name": d.get_name(),'
        ' "license": d.get_license(), "packages": d.packages, "data_files": d.data_files,'
        ' "install": list(d.install_requires), "scripts": d.entry_points["console_scripts"],'
        ' "extras": {k: list(v) for k, v in d.extras_require.items()}}))'
    )
    done = subprocess.run([sys.executable, '-c', script], cwd=ROOT, capture_output=True, text=True,
                          env={**os.environ, 'PYTHONDONTWRITEBYTECODE': '1'}, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def keys(manifest: ElementTree.Element, *tags: str) -> set[str]:
    return {str(element.text) for tag in tags for element in manifest.iter(tag)}


def names(requirements: list[str]) -> set[str]:
    """Return the project names: ``ros-rclpy[fastrtps]>=9`` is ``ros-rclpy``."""
    return {re.match(r'[A-Za-z0-9._-]+', text).group() for text in requirements}  # type: ignore[union-attr]


def required(metadata: dict, *, without: tuple[str, ...] = ()) -> set[str]:
    """Return the projects that the extras ask for, less those of the extras ``without``."""
    return {name for extra, requirements in metadata['extras'].items() if extra not in without
            for name in names(requirements)}


def test_every_place_has_the_same_version(manifest: ElementTree.Element, metadata: dict) -> None:
    changelog = (ROOT / 'CHANGELOG.rst').read_text(encoding='utf-8')
    newest = re.search(r'^(\d+\.\d+\.\d+) \(\d{4}-\d{2}-\d{2}\)\n-+$', changelog, re.MULTILINE)
    assert newest is not None, 'CHANGELOG.rst has no heading like 0.1.0 (2026-11-21)'
    assert {
        'package.xml': manifest.findtext('version'),
        'setup.py': metadata['version'],
        'CHANGELOG.rst': newest.group(1),
    } == dict.fromkeys(('package.xml', 'setup.py', 'CHANGELOG.rst'), vla_ros.__version__)


def test_name_and_license_agree(manifest: ElementTree.Element, metadata: dict) -> None:
    assert (manifest.findtext('name'), manifest.findtext('license')) == (
        metadata['name'], metadata['license'])
    assert 'Apache License' in (ROOT / 'LICENSE').read_text(encoding='utf-8')


def test_every_rosdep_key_has_its_requirement(
    manifest: ElementTree.Element, metadata: dict
) -> None:
    brought = required(metadata) | names(metadata['install'])
    for key in keys(manifest, 'exec_depend', 'depend', 'test_depend'):
        assert key in SAME, f'package.xml has {key}: say in SAME what brings it with pip'
        assert SAME[key] in brought | {ROS_ONLY}, f'setup.py lacks {SAME[key]} for {key}'


def test_every_requirement_has_its_rosdep_key(
    manifest: ElementTree.Element, metadata: dict
) -> None:
    declared = keys(manifest, 'exec_depend', 'depend', 'test_depend')
    for name in (required(metadata) | names(metadata['install'])) - set(WITHOUT_KEY):
        brought_by = {key for key, requirement in SAME.items() if requirement == name}
        assert brought_by, f'setup.py has {name}: say in SAME which rosdep key is the same'
        assert brought_by <= declared, f'package.xml lacks {brought_by - declared}'


def test_tables_of_this_test_have_no_stale_row(
    manifest: ElementTree.Element, metadata: dict
) -> None:
    assert set(SAME) == keys(manifest, 'exec_depend', 'depend', 'test_depend')
    assert set(WITHOUT_KEY) <= required(metadata)


def test_pip_never_lays_a_second_copy_over_a_ros_installation(metadata: dict) -> None:
    assert names(metadata['install']) == {'numpy', 'PyYAML'}


def third_party_imports(*folders: str) -> set[str]:
    found = set()
    for path in (path for folder in folders for path in (ROOT / folder).rglob('*.py')):
        for node in ast.walk(ast.parse(path.read_text(encoding='utf-8'))):
            if isinstance(node, ast.Import):
                found |= {alias.name.partition('.')[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level:
                found.add(str(node.module).partition('.')[0])
    return found - set(sys.stdlib_module_names) - {'vla_ros'} - BY_HAND


def test_every_library_that_is_imported_is_declared_and_no_other(
    manifest: ElementTree.Element, metadata: dict
) -> None:
    used = {IMPORTED_AS.get(name, name) for name in third_party_imports('vla_ros', 'launch')}
    runtime = keys(manifest, 'exec_depend', 'depend')
    with_pip = required(metadata, without=('test', 'lint'))
    assert used <= runtime | (with_pip & set(WITHOUT_KEY)), 'imported, not declared'
    assert runtime - used <= INDIRECT, 'declared, not imported'


def test_tests_import_only_what_is_declared() -> None:
    local = {path.stem for folder in ('test', 'benchmarks') for path in (ROOT / folder).rglob('*')}
    used = {IMPORTED_AS.get(name, name) for name in third_party_imports('test')} - local
    declared = set(SAME) | set(WITHOUT_KEY)
    assert {name for name in used if {name, f'python3-{name}'}.isdisjoint(declared)} == set()


def test_every_console_script_has_its_function(metadata: dict) -> None:
    for script in metadata['scripts']:
        module, function = re.fullmatch(r'\S+ = ([\w.]+):(\w+)', script).groups()  # type: ignore[union-attr]
        path = ROOT.joinpath(*module.split('.')).with_suffix('.py')
        assert path.is_file(), f'{script}: no {path}'
        defined = {node.name for node in ast.parse(path.read_text(encoding='utf-8')).body
                   if isinstance(node, ast.FunctionDef)}
        assert function in defined, f'{script}: {path} has no {function}()'


def test_every_folder_of_code_is_a_package_that_gets_installed(metadata: dict) -> None:
    folders = {path.parent for path in (ROOT / 'vla_ros').rglob('*.py')}
    assert {'.'.join(folder.relative_to(ROOT).parts) for folder in folders} == set(
        metadata['packages'])


def test_data_files_are_relative_so_that_colcon_can_link_them(metadata: dict) -> None:
    paths = [path for _, files in metadata['data_files'] for path in files]
    assert [path for path in paths if os.path.isabs(path)] == []


@pytest.fixture(scope='module')
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A prefix into which a copy of the checkout was installed with colcon's own command line."""
    copy = tmp_path_factory.mktemp('source') / 'vla_ros'
    skip = shutil.ignore_patterns('.*', '__pycache__', '*.egg-info', 'build', 'install', 'log',
                                  'out', 'test', 'venv')
    shutil.copytree(ROOT, copy, ignore=skip)
    prefix = tmp_path_factory.mktemp('prefix')
    command = [sys.executable, '-W', 'ignore', 'setup.py', '-q', 'install', '--prefix', str(prefix),
               '--single-version-externally-managed', '--record', str(prefix / 'record.txt')]
    done = subprocess.run(command, cwd=copy, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return prefix


def test_every_shared_file_is_installed(installed: Path) -> None:
    share = installed / 'share' / 'vla_ros'
    wanted = {path.relative_to(ROOT) for folder in SHARED_FOLDERS
              for path in (ROOT / folder).rglob('*')
              if path.is_file() and '__pycache__' not in path.parts}
    # The URDF generator is a tool of this repository; what it writes is what gets installed.
    wanted = {path for path in wanted if path.parts[:2] != ('urdf', 'generate')}
    assert wanted, 'no file to install was found'
    missing = sorted(str(path) for path in wanted if not (share / path).is_file())
    assert missing == [], 'setup.py leaves these out: see SHARED there'


def test_ros_finds_the_installed_package_and_its_executables(
    installed: Path, metadata: dict
) -> None:
    assert (installed / 'share/ament_index/resource_index/packages/vla_ros').is_file()
    assert (installed / 'share/vla_ros/package.xml').is_file()
    scripts = {script.partition(' ')[0] for script in metadata['scripts']}
    assert {path.name for path in (installed / 'lib/vla_ros').iterdir()} == scripts


def test_installed_code_finds_the_installed_files(installed: Path) -> None:
    packages = next(installed.glob('lib/python*/site-packages'))
    path = os.pathsep.join([str(packages), os.environ.get('PYTHONPATH', '')])
    done = subprocess.run(
        [sys.executable, '-c',
         'from vla_ros.resources import share_directory; print(share_directory())'],
        cwd=installed, capture_output=True, text=True, check=False,
        env={**os.environ, 'PYTHONPATH': path, 'AMENT_PREFIX_PATH': str(installed)})
    assert done.returncode == 0, done.stderr
    assert Path(done.stdout.strip()) == installed / 'share' / 'vla_ros'


def test_the_checkout_is_what_the_tests_import() -> None:
    spec = importlib.util.find_spec('vla_ros')
    assert spec is not None and Path(str(spec.origin)).parent == ROOT / 'vla_ros'
