"""Installs vla_ros, both with colcon (ament_python) and with pip.

The metadata is here and not in pyproject.toml because colcon reads setup.py, on every ROS
distribution from Humble's setuptools 59 on.
"""

import re
from pathlib import Path

from setuptools import find_packages, setup

PACKAGE = 'vla_ros'
SHARE = Path('share', PACKAGE)

# Folders whose files are read at run time, and which of their files.
SHARED = {'config': '*.yaml', 'launch': '*.launch.py', 'urdf': '*.urdf', 'web': 'panel.*'}


def read_version():
    """Return ``__version__`` without importing the package, whose dependencies may be absent."""
    text = Path(PACKAGE, '__init__.py').read_text(encoding='utf-8')
    return re.search(r"^__version__ = '([^']+)'$", text, re.MULTILINE).group(1)


def data_files():
    """Return the (directory, files) pairs that keep each shared folder's tree under share/.

    Paths are relative to this file: colcon cannot link absolute ones.
    """
    found = {
        Path('share/ament_index/resource_index/packages'): [f'resource/{PACKAGE}'],
        SHARE: ['package.xml'],
    }
    for folder, pattern in SHARED.items():
        for path in sorted(Path(folder).rglob(pattern)):
            found.setdefault(SHARE / path.parent, []).append(str(path))
    return [(str(directory), files) for directory, files in found.items()]


# What a ROS installation provides must not be here, or pip would put a second copy beside it.
INSTALL_REQUIRES = ['numpy>=1.21', 'PyYAML']

EXTRAS_REQUIRE = {
    # ROS 2 itself, as wheels, for a machine without a ROS installation.
    'ros': ['ros-rclpy[fastrtps]', 'ros-common-interfaces', 'ros-lifecycle-msgs'],
    'ik': ['pin>=2.6'],
    'vision': ['opencv-python-headless'],
    'sim': ['mujoco>=3.2'],
    'demo': ['av', 'matplotlib', 'pillow'],
    # The operator's web page; JPEG comes from `vision`.
    'panel': ['fastapi', 'uvicorn', 'websockets'],
    # simplejpeg decodes a sixth faster than OpenCV, to the same pixels; without it OpenCV does.
    'bags': ['rosbags>=0.11', 'simplejpeg'],
    # Episodes of public data sets, and LeRobot data sets of one's own recordings.
    'datasets': ['rosbags>=0.11', 'av', 'pyarrow'],
    # Pages of recordings and replays; rerun-sdk is for --rrd, and large (170 MB).
    'report': ['rosbags>=0.11', 'matplotlib', 'opencv-python-headless'],
    'rerun': ['rerun-sdk>=0.23'],
    # Learned policies; tools/install_torch.sh first where there is no GPU. peft is what adapters
    # are trained with, and the tests compare our merge with its own; it is not in `test`, which
    # must not bring PyTorch to a machine that tests the rest.
    'policy': ['torch>=2.6', 'transformers>=5', 'accelerate', 'safetensors', 'tokenizers',
               'bitsandbytes', 'peft', 'simplejpeg', 'pillow'],
    'test': ['pytest>=7', 'pytest-xdist', 'hypothesis', 'setuptools', 'selenium'],
    'lint': ['ruff', 'mypy', 'types-PyYAML'],
}

setup(
    name=PACKAGE,
    version=read_version(),
    description='Drives a robot arm from language and cameras with Vision-Language-Action policies',
    author='vla_ros developers',
    author_email='vla_ros@example.com',
    maintainer='vla_ros developers',
    maintainer_email='vla_ros@example.com',
    license='Apache-2.0',
    python_requires='>=3.10',
    packages=find_packages(include=[PACKAGE, f'{PACKAGE}.*']),
    data_files=data_files(),
    install_requires=INSTALL_REQUIRES,
    extras_require=EXTRAS_REQUIRE,
    zip_safe=False,
    entry_points={
        'console_scripts': [
            'vla-ros = vla_ros.cli.main:main',
            'control_node = vla_ros.ros.control_node:main',
            'operator_node = vla_ros.ros.operator_node:main',
            'policy_node = vla_ros.ros.policy_node:main',
            'record_node = vla_ros.ros.record_node:main',
            'sim_node = vla_ros.ros.sim_node:main',
            'teleop_node = vla_ros.ros.teleop_node:main',
        ],
        # Named as the module, so that -p does not load it twice.
        'pytest11': ['vla_ros.pytest_plugin = vla_ros.pytest_plugin'],
    },
)
