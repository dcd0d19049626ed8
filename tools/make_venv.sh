#!/bin/sh
# usage: make_venv.sh PYTHON DIRECTORY
# Makes a virtual environment, and gets Debian's part of `venv` where it is missing.
set -eu
python=$1
directory=$2
here=$(dirname "$0")

if ! command -v "$python" >/dev/null 2>&1; then
    echo "$python: not found. Install Python 3.10 or newer, or name it: make PYTHON=python3.12" >&2
    exit 1
fi
version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 10))'; then
    echo "$python is Python $version; 3.10 or newer is needed. Name one: make PYTHON=python3.12" >&2
    exit 1
fi
# Debian and Ubuntu ship Python without the pip that venv puts into an environment.
if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
    "$here/apt_install.sh" "$python cannot make environments (no ensurepip)" "python$version-venv"
fi
echo "Making the environment $directory with Python $version"
"$python" -m venv --clear "$directory"
