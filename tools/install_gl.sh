#!/bin/sh
# usage: install_gl.sh PYTHON
# Gets a library that draws without a screen for the simulated cameras, where none works yet.
set -eu
python=$1
here=$(dirname "$0")

draws() {
    "$python" -c 'from vla_ros.sim.gl import choose_backend; print("Cameras draw with", choose_backend())'
}

draws 2>/dev/null && exit 0
# OSMesa first: it draws in memory and needs no driver. EGL where a distribution has dropped it.
"$here/apt_install.sh" 'The simulated cameras need EGL or OSMesa' libosmesa6 ||
    "$here/apt_install.sh" 'The simulated cameras need EGL or OSMesa' libegl1 libgl1-mesa-dri
draws
