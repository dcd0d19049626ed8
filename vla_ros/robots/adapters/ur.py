"""Whether a Universal Robot may be commanded, from what its driver says of it.

The numbers are those of ``ur_dashboard_msgs`` (RobotMode, SafetyMode).
"""

from __future__ import annotations

from dataclasses import dataclass

_ROBOT_MODES = {
    -1: 'no controller', 0: 'disconnected', 1: 'waits for a confirmation of its safety settings',
    2: 'booting', 3: 'powered off', 4: 'powered on, not started', 5: 'idle, brakes on',
    6: 'backdrive', 7: 'running', 8: 'updating its firmware',
}
_SAFETY_MODES = {
    1: 'normal', 2: 'reduced', 3: 'protective stop', 4: 'recovery', 5: 'safeguard stop',
    6: 'system emergency stop', 7: 'robot emergency stop', 8: 'violation', 9: 'fault',
    10: 'joint IDs are being validated', 11: 'undefined', 12: 'safeguard stop in automatic mode',
    13: 'three-position enabling stop',
}
_RUNNING = 7
_NORMAL, _REDUCED = 1, 2

# With less, the program is paused: the arm waits and would go on toward its old target.
_PAUSED_PERCENT = 0.5


@dataclass
class UrState:
    """The last of each status; None where none has come.

    Attributes
    ----------
    watches_modes : bool
        Whether robot and safety mode can be heard (``ur_dashboard_msgs`` is installed here).
    watches_scaling : bool
        Whether the topic of the speed scaling is configured.

    """

    watches_modes: bool = True
    watches_scaling: bool = True
    robot_mode: int | None = None
    safety_mode: int | None = None
    program_running: bool | None = None
    speed_scaling: float | None = None  # percent

    def problem(self) -> str:
        """Return why the robot may not be commanded, the worst first; empty when it may."""
        if self.safety_mode is not None and self.safety_mode not in (_NORMAL, _REDUCED):
            what = _SAFETY_MODES.get(self.safety_mode, 'not a mode that is known')
            return f'safety mode {self.safety_mode}: {what}'
        if self.robot_mode is not None and self.robot_mode != _RUNNING:
            what = _ROBOT_MODES.get(self.robot_mode, 'not a mode that is known')
            return f'robot mode {self.robot_mode}: {what}'
        if self.program_running is False:
            return 'the external control program does not run on the robot'
        if self.speed_scaling is not None and not self.speed_scaling >= _PAUSED_PERCENT:
            return 'speed scaling is 0 %: the program is paused or the robot has stopped'
        missing = self._missing()
        if missing:
            return f'nothing heard of {", ".join(missing)}; is the UR driver running?'
        return ''

    def _missing(self) -> list[str]:
        found: dict[str, object] = {'robot_program_running': self.program_running}
        if self.watches_modes:
            found |= {'robot_mode': self.robot_mode, 'safety_mode': self.safety_mode}
        if self.watches_scaling:
            found['speed_scaling'] = self.speed_scaling
        return [name for name, value in found.items() if value is None]
