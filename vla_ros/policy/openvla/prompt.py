"""From an instruction to token ids, as the models were trained.

The tokenizer is read from ``tokenizer.json`` by the ``tokenizers`` library itself: the ``auto_map``
of a published directory makes transformers' ``AutoTokenizer`` ask about remote code.
"""

from __future__ import annotations

from pathlib import Path

from tokenizers import Tokenizer

from vla_ros.core.errors import ConfigError, InputError, unknown_choice

BOS, EOS = 1, 2
EMPTY_TOKEN = 29871
"""Id of a lone ``▁``. In training the answer follows ``Out: ``, whose space becomes this token."""

TEMPLATES = {
    'openvla': 'In: What action should the robot take to {instruction}?\nOut:',
    'openvla_v01': (
        'A chat between a curious user and an artificial intelligence assistant. The assistant '
        "gives helpful, detailed, and polite answers to the user's questions. "
        'USER: What action should the robot take to {instruction}? ASSISTANT:'),
}
"""Prompt of each generation of the models; the token ids decide, to the last space."""


class Prompter:
    """Writes the prompt for an instruction and tokenizes it.

    Parameters
    ----------
    directory : Path
        Checkpoint directory with ``tokenizer.json``.
    template : str
        Key of ``TEMPLATES``.
    longest : int
        How many ids a prompt may have.

    Raises
    ------
    ConfigError
        When the template is unknown, or the file is missing or no Llama-2 tokenizer.

    """

    def __init__(self, directory: Path, template: str, longest: int) -> None:
        if template not in TEMPLATES:
            raise unknown_choice('prompt', template, TEMPLATES)
        self.template = TEMPLATES[template]
        self._longest = longest
        path = directory / 'tokenizer.json'
        if not path.is_file():
            raise ConfigError(f'{path}: no such file; the prompt cannot be tokenized without it',
                              path=path)
        try:
            self._tokenizer = Tokenizer.from_file(str(path))
        except Exception as error:  # the library raises a bare Exception
            raise ConfigError(f'{path}: not a tokenizer: {error}', path=path) from error
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        expected = {'<s>': BOS, '</s>': EOS, '▁': EMPTY_TOKEN}
        found = {token: self._tokenizer.token_to_id(token) for token in expected}
        if found != expected:
            raise ConfigError(f'{path}: expected the Llama-2 tokens {expected}, found {found}',
                              path=path)

    def prompt(self, instruction: str) -> str:
        """Return the prompt for an instruction, which is lower-cased but not stripped."""
        return self.template.format(instruction=instruction.lower())

    def ids(self, instruction: str) -> list[int]:
        """Return the ids of the prompt for an instruction.

        Raises
        ------
        InputError
            When the instruction is empty, or the prompt longer than the model can take.

        """
        if not instruction.strip():
            raise InputError('the instruction is empty; the policy needs a task in words')
        ids = self.tokenize(self.prompt(instruction))
        if len(ids) > self._longest:
            raise InputError(f'the instruction makes a prompt of {len(ids)} tokens; the model '
                             f'takes at most {self._longest}')
        return ids

    def tokenize(self, prompt: str) -> list[int]:
        """Return the ids of a prompt: BOS first, and the empty token last, added if absent."""
        ids = self._tokenizer.encode(prompt).ids
        if ids[:1] != [BOS]:
            ids = [BOS, *ids]
        if ids[-1] != EMPTY_TOKEN:
            ids = [*ids, EMPTY_TOKEN]
        return ids
