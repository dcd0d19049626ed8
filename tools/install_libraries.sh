#!/bin/sh
# usage: install_libraries.sh PYTHON
# Gets the system libraries that the wheels need but do not bring, where they are missing.
set -eu
python=$1
here=$(dirname "$0")

loads() {
    "$python" -c "import ctypes; ctypes.CDLL('$1')" 2>/dev/null
}
draws() {
    "$python" -c 'from vla_ros.sim.gl import choose_backend; print("Cameras draw with", choose_backend())'
}

# The wheel of Pinocchio is linked with OpenMP; a Debian without a compiler has none.
loads libgomp.so.1 || "$here/apt_install.sh" 'Pinocchio needs OpenMP' libgomp1

draws 2>/dev/null && exit 0
# OSMesa first: it draws in memory and needs no driver. EGL where a distribution has dropped it.
"$here/apt_install.sh" 'The simulated cameras need EGL or OSMesa' libosmesa6 ||
    "$here/apt_install.sh" 'The simulated cameras need EGL or OSMesa' libegl1 libgl1-mesa-dri
draws
