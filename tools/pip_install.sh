#!/bin/sh
# usage: pip_install.sh PYTHON EXTRAS
# Installs the package from this checkout, editable, with the given extras (ros,sim,...).
set -eu
python=$1
extras=$2
cd "$(dirname "$0")/.."

echo "Installing vla_ros[$extras]"
# Quiet: a hundred wheels scroll away what matters. Not compiled: most of what is installed is never
# imported, and the rest is compiled at its first import.
PIP_ROOT_USER_ACTION=ignore "$python" -m pip install --quiet --quiet --no-input --no-compile \
    --disable-pip-version-check --prefer-binary --editable ".[$extras]" </dev/null
