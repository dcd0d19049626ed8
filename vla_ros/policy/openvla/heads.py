"""The small networks of OpenVLA-OFT that live in their own files beside the weights.

Every size is read from the tensors themselves.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn
from torch.nn import functional

from vla_ros.core.errors import ConfigError

State = Mapping[str, torch.Tensor]


class ResidualBlock(nn.Module):
    """``h + ReLU(Linear(LayerNorm(h)))``: the ReLU is inside the branch, behind the linear."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.ffn = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, width), nn.ReLU())

    def forward(self, h: torch.Tensor) -> torch.Tensor:
        """Return (…, width) for (…, width)."""
        return h + self.ffn(h)


class ActionHead(nn.Module):
    """From hidden states to a step's numbers: actions of the L1 head, noise of the diffusion head.

    LayerNorm, Linear, ReLU, residual blocks, LayerNorm, Linear, for each step on its own. LayerNorm
    has PyTorch's epsilon, 1e-5, unlike the vision towers.

    Parameters
    ----------
    inputs, width, outputs : int
        Features of a step (action size times D), inside, and of the result.
    blocks : int
        Number of residual blocks.

    """

    PREFIXES = {'model.': False, 'noise_predictor.mlp_resnet.': True}  # noqa: RUF012
    """Prefix of the keys -> whether the head predicts noise."""

    def __init__(self, inputs: int, width: int, outputs: int, blocks: int) -> None:
        super().__init__()
        self.layer_norm1 = nn.LayerNorm(inputs)
        self.fc1 = nn.Linear(inputs, width)
        self.mlp_resnet_blocks = nn.ModuleList(ResidualBlock(width) for _ in range(blocks))
        self.layer_norm2 = nn.LayerNorm(width)
        self.fc2 = nn.Linear(width, outputs)
        self.predicts_noise = False

    @classmethod
    def from_state(cls, state: State, where: str) -> ActionHead:
        """Return the head that a component file holds."""
        prefix = next((prefix for prefix in cls.PREFIXES if f'{prefix}fc1.weight' in state), None)
        if prefix is None:
            raise _wrong_keys(where, [f'{prefix}fc1.weight' for prefix in cls.PREFIXES], state)
        own = {key.removeprefix(prefix): value for key, value in state.items()}
        blocks = len({key.split('.')[1] for key in own if key.startswith('mlp_resnet_blocks.')})
        width, inputs = _matrix(own, 'fc1.weight', where)
        outputs, _ = _matrix(own, 'fc2.weight', where)
        with torch.device('meta'):  # its start values would be thrown away
            empty = cls(inputs, width, outputs, blocks)
        head = filled(empty, own, where)
        head.predicts_noise = cls.PREFIXES[prefix]
        return head

    @property
    def inputs(self) -> int:
        """Features of one step that it takes."""
        return self.fc1.in_features

    @property
    def outputs(self) -> int:
        """Numbers of one step that it gives."""
        return self.fc2.out_features

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        """Return (B, K, A) for the hidden states (B, K * A, D) of K steps."""
        batch, tokens, width = hidden.shape
        steps = tokens * width // self.inputs
        h = hidden.to(self.fc1.weight).reshape(batch, steps, self.inputs)
        h = functional.relu(self.fc1(self.layer_norm1(h)))
        for block in self.mlp_resnet_blocks:
            h = block(h)
        return self.fc2(self.layer_norm2(h))


class VectorProjector(nn.Module):
    """``Linear, GELU(erf), Linear``: proprioception, or one number of a noisy chunk, to a token."""

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(inputs, width)
        self.fc2 = nn.Linear(width, width)

    @classmethod
    def from_state(cls, state: State, where: str) -> VectorProjector:
        """Return the projector that a component file holds."""
        width, inputs = _matrix(state, 'fc1.weight', where)
        with torch.device('meta'):
            empty = cls(inputs, width)
        return filled(empty, state, where)

    @property
    def inputs(self) -> int:
        """How many numbers it takes."""
        return self.fc1.in_features

    @property
    def width(self) -> int:
        """Features of the token."""
        return self.fc2.out_features

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """Return tokens (…, D) for vectors (…, inputs)."""
        return self.fc2(functional.gelu(self.fc1(values.to(self.fc1.weight))))


def filled(module: nn.Module, state: State, where: str) -> nn.Module:
    """Return a module with the weights of a state dict, which must fit exactly.

    Raises
    ------
    ConfigError
        A weight is missing, unknown or of another shape.

    """
    expected = {key: tuple(value.shape) for key, value in module.state_dict().items()}
    for key, shape in expected.items():
        if key not in state:
            raise ConfigError(f'{where}: missing weight {key!r}')
        if tuple(state[key].shape) != shape:
            raise ConfigError(f'{where}: {key}: expected shape {shape}, found '
                              f'{tuple(state[key].shape)}')
    unknown = sorted(set(state) - set(expected))
    if unknown:
        raise ConfigError(f'{where}: unknown weights {", ".join(unknown[:4])}: not the kind of '
                          f'network that its name says')
    module.load_state_dict(state, assign=True)
    return module.requires_grad_(False).eval()


def _matrix(state: State, key: str, where: str) -> tuple[int, int]:
    if key not in state or state[key].ndim != 2:
        raise _wrong_keys(where, [key], state)
    rows, columns = state[key].shape
    return rows, columns


def _wrong_keys(where: str, expected: list[str], state: State) -> ConfigError:
    return ConfigError(f'{where}: expected a matrix under {" or ".join(expected)}, found the keys '
                       f'{", ".join(sorted(state)[:6])}')
