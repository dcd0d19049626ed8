"""The one description of what runs; ``launch/bringup.launch.py`` and ``vla-ros up`` both read it.

It imports no ROS, so that a launch file and a command line can be made from it on any machine.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from vla_ros.core.errors import ConfigError, unknown_choice
from vla_ros.policy import POLICIES
from vla_ros.policy.config_file import config_file, is_path
from vla_ros.robots import load_profile

PACKAGE = 'vla_ros'

PARENT_VARIABLE = 'VLA_ROS_PARENT_PID'
"""Environment variable with the process that a node shall not outlive."""


@dataclass(frozen=True)
class Argument:
    """One argument of the bring-up: its name, default and meaning."""

    name: str
    default: str
    description: str


ARGUMENTS: tuple[Argument, ...] = (
    Argument('robot', 'piper', 'robot profile: a name from config/robots or a YAML file'),
    Argument('policy', 'scripted', f'policy to run: {", ".join(sorted(POLICIES))}'),
    Argument('model_path', '', 'checkpoint directory of a learned policy'),
    Argument('policy_config', '', 'how it is fed and read: a name in config/policies or a file'),
    Argument('unnorm_key', '', 'dataset whose statistics scale its actions; empty: the only one'),
    Argument('quantization', '', 'none, int8 or nf4; empty: none'),
    Argument('device', '', 'where it computes: cpu, cuda, cuda:1, auto; empty: cuda if any'),
    Argument('sim', 'true', 'true starts the simulated arm and cameras, false uses what is there'),
    Argument('instruction', '', 'task in words; empty waits for the topic instruction'),
    Argument('params_file', '', 'YAML file of ROS parameters that override the defaults'),
    Argument('use_sim_time', 'auto', 'true, false, or auto: what sim is'),
    Argument('driver', '', 'driver of the arm: a name from config/drivers or a YAML file; empty: '
                            'that of the robot, or the simulated one with sim'),
    Argument('auto_arm', 'auto', 'armed from the start: true, false, or auto: what sim is'),
    Argument('dry_run', 'false', 'true computes and publishes everything but sends no command'),
    Argument('third_person_topic', '', 'image topic of the third-person camera; empty: default'),
    Argument('wrist_topic', '', 'image topic of the wrist camera; empty: default'),
    Argument('teleop', 'none', 'what a human overrides with: none, joystick, spacemouse or leader; '
                               'the keyboard needs a terminal of its own'),
    Argument('teleop_mapping', '', 'what its controls do: a name in config/teleop or a YAML file; '
                                   'empty: default'),
    Argument('panel', 'false', 'true serves the operator panel, a web page, on this machine'),
    Argument('record', '', 'true records to out/recordings, anything else to the folder of that '
                           'name; empty or false: no recording'),
)

TELEOPS = ('joystick', 'leader', 'none', 'spacemouse')

MODEL_ARGUMENTS = ('model_path', 'policy_config', 'unnorm_key', 'quantization', 'device')
"""Arguments for learned policies; one that does not know them refuses them."""


@dataclass(frozen=True)
class ProcessSpec:
    """One process of the graph.

    Attributes
    ----------
    name : str
        Name of the node and of the executable.
    parameters : Mapping[str, Any]
        ROS parameters that differ from the defaults in ``config/nodes``.
    params_file : Path | None
        The user's parameter file.
    required : bool
        Whether everything is stopped when this process ends. The policy is not: without it the
        arm holds.
    stop_order : int
        Lower is stopped first: the control node brakes the arm while everything it needs lives.
    stop_timeout_s : float
        How long it may take to end [s] before it is killed; braking takes about one second.
    without : str
        What it means when a process that is not required ends by itself.

    """

    name: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    params_file: Path | None = None
    required: bool = True
    stop_order: int = 1
    stop_timeout_s: float = 5.0
    without: str = ''

    @property
    def module(self) -> str:
        """The Python module to run with ``python -m``."""
        return f'{PACKAGE}.ros.{self.name}'


@dataclass(frozen=True)
class Bringup:
    """What to start, checked: a wrong argument is an error before anything runs."""

    robot: str
    policy: str
    model_path: str
    policy_config: str
    unnorm_key: str
    quantization: str
    device: str
    sim: bool
    instruction: str
    params_file: Path | None
    use_sim_time: bool
    driver: str
    auto_arm: bool
    dry_run: bool
    third_person_topic: str
    wrist_topic: str
    teleop: str
    teleop_mapping: str
    panel: bool
    record: str

    @classmethod
    def from_arguments(cls, given: Mapping[str, str]) -> Bringup:
        """Return the bring-up for arguments as text; those not given have their defaults.

        Raises
        ------
        ConfigError
            When an argument is unknown or its value cannot be used; the message has the choices.

        """
        names = [a.name for a in ARGUMENTS]
        for name in given:
            if name not in names:
                raise unknown_choice('argument', name, names)
        values = {a.name: str(given.get(a.name, a.default)) for a in ARGUMENTS}
        load_profile(values['robot'])
        if values['policy'] not in POLICIES:
            raise unknown_choice('policy', values['policy'], POLICIES)
        sim = _boolean('sim', values['sim'])
        params_file = Path(values['params_file']).expanduser() if values['params_file'] else None
        if params_file is not None and not params_file.is_file():
            raise ConfigError(f'params_file: no such file: {params_file}')
        model_path = values['model_path']
        if model_path:
            # Nodes started by launch need not have our working directory.
            model_path = str(Path(model_path).expanduser().absolute())
            if not Path(model_path).is_dir():
                raise ConfigError(f'model_path: no such directory: {model_path}')
        return cls(
            robot=values['robot'], policy=values['policy'], model_path=model_path,
            policy_config=_policy_config(values['policy'], values['policy_config']),
            unnorm_key=values['unnorm_key'], quantization=values['quantization'],
            device=values['device'], sim=sim, instruction=values['instruction'],
            params_file=params_file,
            use_sim_time=_boolean('use_sim_time', values['use_sim_time'], auto=sim),
            driver=values['driver'] or ('sim' if sim else ''),
            auto_arm=_boolean('auto_arm', values['auto_arm'], auto=sim),
            dry_run=_boolean('dry_run', values['dry_run']),
            third_person_topic=values['third_person_topic'], wrist_topic=values['wrist_topic'],
            teleop=_teleop(values['teleop'], values['robot'], values['driver']),
            teleop_mapping=_teleop_mapping(values['teleop'], values['teleop_mapping']),
            panel=_boolean('panel', values['panel']),
            record=_record_folder(values['record']))

    def _operator(self) -> dict[str, Any]:
        # Without the simulated time, which may stand still when a person wants to see something.
        given = {name: getattr(self, name)
                 for name in ('driver', 'third_person_topic', 'wrist_topic') if getattr(self, name)}
        return {'robot': self.robot, 'use_sim_time': False, **given}

    def processes(self) -> list[ProcessSpec]:
        """Return the processes to start, in that order."""
        common: dict[str, Any] = {'robot': self.robot, 'use_sim_time': self.use_sim_time}
        if self.driver:
            common['driver'] = self.driver
        control = {**common, 'auto_arm': self.auto_arm, 'dry_run': self.dry_run}
        policy = {**common, 'policy': self.policy}
        for name in (*MODEL_ARGUMENTS, 'instruction', 'third_person_topic', 'wrist_topic'):
            if getattr(self, name):
                policy[name] = getattr(self, name)
        specs = [
            ProcessSpec('control_node', control, self.params_file, stop_order=0),
            ProcessSpec('policy_node', policy, self.params_file, required=False,
                        without='the arm holds'),
        ]
        if self.teleop != 'none':
            teleop = {**common, 'input': self.teleop}
            if self.teleop_mapping:
                teleop[f'{self.teleop}_mapping'] = self.teleop_mapping
            specs.append(ProcessSpec('teleop_node', teleop, self.params_file, required=False,
                                     without='what it held is given back'))
        if self.panel:
            specs.append(ProcessSpec('operator_node', self._operator(), self.params_file,
                                     required=False, without='what it held is given back'))
        if self.sim:
            # The simulation makes the time; it cannot follow it.
            specs.insert(0, ProcessSpec('sim_node', {'robot': self.robot, 'use_sim_time': False},
                                        self.params_file, stop_order=2))
        if self.record:
            record = dict(common) if self.record == 'true' else {
                **common, 'folder': self.record}
            for name in ('third_person_topic', 'wrist_topic'):
                if getattr(self, name):
                    record[name] = getattr(self, name)
            # The last to stop: how the arm came to rest belongs in the bag. The disk may be slow.
            specs.append(ProcessSpec('record_node', record, self.params_file, required=False,
                                     stop_order=3, stop_timeout_s=60.0,
                                     without='nothing is recorded any more'))
        return specs


def _record_folder(given: str) -> str:
    """Return the folder for recordings in full, ``true`` for the usual one, empty for none."""
    if given.lower() in ('', 'false', '0'):
        return ''
    if given.lower() in ('true', '1'):
        return 'true'
    folder = Path(given).expanduser().absolute()
    if folder.exists() and not folder.is_dir():
        raise ConfigError(f'record: not a folder: {folder}')
    return str(folder)


def _policy_config(policy: str, given: str) -> str:
    """Return a name as it is, and a path in full, each checked to be there."""
    path = config_file(policy, given)
    if not given or not is_path(given):
        return given
    if not path.is_file():
        raise ConfigError(f'policy_config: no such file: {path}')
    return str(path.absolute())


def _teleop(given: str, robot: str, driver: str) -> str:
    if given == 'keyboard':
        options = ''.join(f' -p {name}:={value}' for name, value in (
            ('robot', robot), ('driver', driver or 'sim')) if value)
        raise ConfigError('teleop: a keyboard needs a terminal of its own, which launch and '
                          'vla-ros up do not give. Run beside it: ros2 run vla_ros teleop_node '
                          f'--ros-args -p input:=keyboard{options} (or: vla-ros teleop keyboard)')
    if given not in TELEOPS:
        raise unknown_choice('teleop', given, TELEOPS)
    return given


def _teleop_mapping(teleop: str, given: str) -> str:
    """Return a name as it is, and a path in full: nodes need not have our working directory."""
    if not given:
        return ''
    if teleop == 'none':
        raise ConfigError(f'teleop_mapping: there is no teleop to map. '
                          f'Choices of teleop: {", ".join(TELEOPS)}')
    if not is_path(given):
        return given
    path = Path(given).expanduser()
    if not path.is_file():
        raise ConfigError(f'teleop_mapping: no such file: {path}')
    return str(path.absolute())


def _boolean(name: str, value: str, auto: bool | None = None) -> bool:
    known: dict[str, bool] = {'true': True, 'false': False, '1': True, '0': False}
    if auto is not None:
        known['auto'] = auto
    try:
        return known[value.lower()]
    except KeyError:
        raise ConfigError(f'{name}: expected true or false'
                          f'{"" if auto is None else " or auto"}, found {value!r}') from None


assert {a.name for a in ARGUMENTS} == {f.name for f in fields(Bringup)}
