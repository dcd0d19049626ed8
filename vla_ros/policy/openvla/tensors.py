"""Reading weights from files that may be broken or hostile."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open

from vla_ros.core.errors import ConfigError
from vla_ros.policy.openvla.checkpoint import StoredTensor


def read_component(path: Path) -> dict[str, torch.Tensor]:
    """Return the state dict of a component file, without the prefix that DDP left.

    Only tensors are unpickled: a file that would run code is refused.

    Raises
    ------
    ConfigError
        The file is broken, holds something else than named tensors, or a value is not finite.

    """
    try:
        state = torch.load(path, map_location='cpu', weights_only=True)
    except Exception as error:  # noqa: BLE001  a broken pickle raises whatever it likes
        reason = str(error).strip().splitlines()[:1]
        raise ConfigError(f'{path}: not a file of plain tensors, which is all that is read from it '
                          f'({type(error).__name__}: {"".join(reason)[:160]})',
                          path=path) from error
    if not isinstance(state, Mapping) or not state or not all(
            isinstance(key, str) and isinstance(value, torch.Tensor)
            for key, value in state.items()):
        raise ConfigError(f'{path}: expected named tensors, found {type(state).__name__}',
                          path=path)
    for key, value in state.items():
        check_finite(path, key, value)
    return {key.removeprefix('module.'): value for key, value in state.items()}


def read_tensors(tensors: Mapping[str, StoredTensor], keys: Iterable[str] | None = None,
                 ) -> dict[str, torch.Tensor]:
    """Return tensors of safetensors files, mapped from disk where the library can."""
    wanted = set(tensors if keys is None else keys)
    files = {tensors[key].path for key in wanted}
    state: dict[str, torch.Tensor] = {}
    for path in sorted(files):
        try:
            with safe_open(path, framework='pt', device='cpu') as file:
                state.update({key: file.get_tensor(key) for key in file.keys()  # noqa: SIM118
                              if key in wanted})
        except (SafetensorError, OSError) as error:
            raise ConfigError(f'{path}: cannot be read: {error}', path=path) from error
    return state


def check_all_finite(tensors: Mapping[str, StoredTensor], keys: Iterable[str]) -> None:
    """Raise for the first of some stored tensors that has a NaN or an infinite value.

    Reads tensor after tensor, so it needs the memory of one; what it reads is then in the page
    cache for the load itself. Quantizing first would hide the NaN.
    """
    for key in keys:
        check_finite(tensors[key].path, key, read_tensors(tensors, [key])[key])


def check_finite(path: Path, key: str, value: torch.Tensor) -> None:
    """Raise when a tensor has a NaN or an infinite value."""
    if value.is_floating_point() and not torch.isfinite(value.sum(dtype=torch.float32)):
        bad = int((~torch.isfinite(value)).sum())
        raise ConfigError(f'{path}: {key}: {bad} of {value.numel()} values are not finite',
                          path=path)
