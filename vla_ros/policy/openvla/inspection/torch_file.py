"""Names, types and shapes in a ``.pt`` file, without torch and without reading a weight.

torch.save writes a zip archive: one pickle with the structure, and one file for each storage. The
pickle is read with nothing allowed but the few names that a state dict needs, so a file that would
run code is refused.
"""

from __future__ import annotations

import io
import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from vla_ros.core.errors import ConfigError

_SIZES = {'DoubleStorage': ('F64', 8), 'FloatStorage': ('F32', 4), 'HalfStorage': ('F16', 2),
          'BFloat16Storage': ('BF16', 2), 'LongStorage': ('I64', 8), 'IntStorage': ('I32', 4),
          'ShortStorage': ('I16', 2), 'CharStorage': ('I8', 1), 'ByteStorage': ('U8', 1),
          'BoolStorage': ('BOOL', 1)}
_OLD_FORMAT = b'\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.'  # how torch < 1.6 began every file


@dataclass(frozen=True)
class PickledTensor:
    """A tensor of a ``.pt`` file; ``dtype`` is named as in safetensors."""

    shape: tuple[int, ...]
    dtype: str


class _Storage(NamedTuple):
    dtype: str
    items: int


def torch_file_header(path: Path) -> dict[str, PickledTensor]:
    """Return the tensors of a state dict, with the prefix that DDP leaves removed.

    Raises
    ------
    ConfigError
        The file is broken, or holds something else than named tensors.
    ModuleNotFoundError
        It is in torch's old format, which only torch itself reads, and that is not installed.

    """
    try:
        with path.open('rb') as file:
            if file.read(len(_OLD_FORMAT)) == _OLD_FORMAT:
                return _old_format(path)
        with zipfile.ZipFile(path) as archive:
            state = _unpickled(archive)
    except ModuleNotFoundError:
        raise
    except Exception as error:  # a broken pickle raises whatever it likes
        raise ConfigError(f'{path}: not a file of plain tensors, which is all that is read from it '
                          f'({type(error).__name__}: {str(error)[:160]})', path=path) from error
    if not isinstance(state, Mapping) or not state or not all(
            isinstance(key, str) and isinstance(value, PickledTensor)
            for key, value in state.items()):
        raise ConfigError(f'{path}: expected named tensors, found {type(state).__name__}',
                          path=path)
    return {key.removeprefix('module.'): value for key, value in state.items()}


def _unpickled(archive: zipfile.ZipFile) -> Any:
    inside = {info.filename: info.file_size for info in archive.infolist()}
    name = next((name for name in inside if name.endswith('/data.pkl')), None)
    if name is None:
        raise ValueError('a zip archive, but not one that torch.save wrote')
    return _ShapesOnly(archive.read(name), name.removesuffix('data.pkl'), inside).load()


class _ShapesOnly(pickle.Unpickler):
    """Unpickles tensors into their shapes; refuses every name that is not one of theirs."""

    def __init__(self, data: bytes, folder: str, inside: Mapping[str, int]) -> None:
        super().__init__(io.BytesIO(data))
        self._folder = folder
        self._inside = inside

    def find_class(self, module: str, name: str) -> Any:
        """Return a stand-in for the few names that are known."""
        allowed: dict[tuple[str, str], Any] = {
            ('collections', 'OrderedDict'): OrderedDict,
            ('torch._utils', '_rebuild_tensor_v2'): _tensor,
            ('torch._utils', '_rebuild_parameter'): lambda data, *_: data,
        }
        if module == 'torch' and name in _SIZES:
            return name
        if (module, name) not in allowed:
            raise pickle.UnpicklingError(f'it asks for {module}.{name}, which is no tensor')
        return allowed[module, name]

    def persistent_load(self, pid: Any) -> _Storage:
        """Return a storage by its entry in the archive, which must be as large as it says."""
        _, kind, key, _, items = pid
        dtype, size = _SIZES[kind]
        stored = self._inside.get(f'{self._folder}data/{key}')
        if stored != items * size:
            raise ValueError(f'storage {key}: expected {items * size} bytes, found '
                             f'{"none" if stored is None else stored}')
        return _Storage(dtype, items)


def _tensor(storage: _Storage, offset: int, shape: Any, stride: Any, *_: Any) -> PickledTensor:
    last = offset + sum((n - 1) * step for n, step in zip(shape, stride))
    if 0 not in shape and not 0 <= last < storage.items:
        raise ValueError(f'a tensor of shape {tuple(shape)} in {storage.items} values')
    return PickledTensor(tuple(shape), storage.dtype)


def _old_format(path: Path) -> dict[str, PickledTensor]:
    from vla_ros.policy.openvla.tensors import read_component

    names = {'float32': 'F32', 'bfloat16': 'BF16', 'float16': 'F16', 'float64': 'F64'}
    return {key: PickledTensor(tuple(value.shape), names.get(str(value.dtype)[6:], '?'))
            for key, value in read_component(path).items()}
