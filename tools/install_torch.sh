#!/bin/sh
# usage: install_torch.sh PYTHON
# Installs PyTorch without its gigabytes of CUDA libraries where there is no GPU to use them. Where
# there is one, or PyTorch is installed already, this does nothing: pip then takes the usual wheel.
set -eu
python=$1
version=2.13.0

"$python" -c 'import torch' 2>/dev/null && exit 0
nvidia-smi -L >/dev/null 2>&1 && exit 0

install() {
    PIP_ROOT_USER_ACTION=ignore "$python" -m pip install --quiet --quiet --no-input --no-compile \
        --disable-pip-version-check --prefer-binary "$1" </dev/null
}
echo "Installing PyTorch $version for the CPU"
# Found where pip looks into PyTorch's own index of CPU wheels, or has them otherwise.
install "torch==$version+cpu" 2>/dev/null && exit 0
echo "pip finds no wheel of PyTorch for the CPU alone: installing the one with CUDA libraries." >&2
echo "To avoid that, let PIP_EXTRA_INDEX_URL name PyTorch's index of CPU wheels." >&2
install "torch==$version"
