"""What a policy node would see, one line of JSON an observation: run as a process by the tests.

It is the node's own :class:`ObservationInputs`, asked like the node asks, without a policy. It asks
for an observation once every stream has reached its time: what it says then does not depend on
which of two messages that wait the executor takes first.
"""

from __future__ import annotations

import hashlib
import json
import sys
import threading
from dataclasses import replace
from typing import Any

from rclpy.context import Context
from rclpy.node import Node

from vla_ros.core.errors import InputError
from vla_ros.core.types import Observation
from vla_ros.ik import load_ik
from vla_ros.policy import load_policy
from vla_ros.robots import load_profile
from vla_ros.robots.adapters import load_driver
from vla_ros.ros.context import run_node
from vla_ros.ros.diagnostics import Diagnostics, ThrottledLog
from vla_ros.ros.observation_inputs import ObservationInputs
from vla_ros.ros.parameters import NodeParameters
from vla_ros.ros.rate import Ticker


def described(observation: Observation, stamps_ns: dict[str, int]) -> dict[str, Any]:
    """Return all of an observation, its pictures as hashes."""
    return {'stamp_ns': observation.stamp_ns, 'sources': dict(sorted(stamps_ns.items())),
            'images': {name: hashlib.sha256(rgb.tobytes()).hexdigest()
                       for name, rgb in sorted(observation.images.items())},
            'state': {name: [float(v).hex() for v in values.reshape(-1)] if values.ndim else
                      float(values).hex() for name, values in sorted(observation.state.items())}}


def say(what: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(what) + '\n')
    sys.stdout.flush()


class Listener(Node):
    """Prints what the node would see, and how many messages it had of each stream."""

    def __init__(self, context: Context) -> None:
        super().__init__('policy_node', context=context)
        parameters = NodeParameters(self, 'policy_node')
        profile = load_profile(parameters.robot)
        spec = replace(load_policy('scripted').spec, privileged=False)
        topics = {'third_person': parameters.third_person_topic, 'wrist': parameters.wrist_topic}
        self._inputs = ObservationInputs(
            self, spec, topics, profile, load_driver(profile, parameters.driver),
            load_ik('pinocchio', profile), parameters, Diagnostics(self),
            ThrottledLog(self.get_logger()))
        self._inputs.listen()
        self._ticker = Ticker(self.get_clock(), 20_000_000)
        self._thread = threading.Thread(target=self._ask, daemon=True)
        self._thread.start()

    def shutdown(self) -> None:
        self._ticker.stop()
        self._thread.join(5.0)
        ingest = self._inputs._ingest
        say({'counts': {name: ingest.status(name, 0).counts for name in ingest.streams}})

    def _ask(self) -> None:
        ingest, before = self._inputs._ingest, None
        while (turn := self._ticker.wait()) is not None:
            reference = ingest.reference_ns()
            if reference is None or reference == before or not ingest.settled(reference):
                continue
            try:
                moment = self._inputs.moment(turn.time_ns)
                observation = self._inputs.observation(moment, 'as recorded')
            except InputError:
                continue
            before = reference
            say(described(observation, dict(moment.stamps_ns)))


if __name__ == '__main__':
    sys.exit(run_node(Listener, 'observation_listener'))
