"""``operator_node``: serves the operator's panel, a web page; see docs/panel.md."""

from __future__ import annotations

import socket
import sys
import time
from typing import Any

from rclpy.context import Context
from rclpy.node import Node

from vla_ros.panel.access import Access, choose_token, is_loopback
from vla_ros.panel.commands import Limits
from vla_ros.panel.frames import CameraFrames
from vla_ros.panel.hub import Hub, PanelSettings
from vla_ros.panel.readings import Readings
from vla_ros.panel.server import PanelServer
from vla_ros.resources import share_file
from vla_ros.robots import load_profile
from vla_ros.robots.adapters import load_driver
from vla_ros.ros.context import run_node
from vla_ros.ros.diagnostics import Diagnostics, Level
from vla_ros.ros.operator_inputs import OperatorInputs
from vla_ros.ros.operator_port import OperatorPort
from vla_ros.ros.parameters import NodeParameters
from vla_ros.ros.python_log import log_to, stop_logging


class OperatorNode(Node):
    """Listens to the graph on the executor's thread; pages are served on the panel's."""

    def __init__(self, context: Context, **options: Any) -> None:
        super().__init__('operator_node', context=context, **options)
        p = self.parameters = NodeParameters(self, 'operator_node')
        profile = load_profile(p.robot)
        driver = load_driver(profile, p.driver)
        token, made = choose_token(p.host, p.token, p.require_token)
        cameras = {name: topic for name, topic in (('third_person', p.third_person_topic),
                                                   ('wrist', p.wrist_topic)) if topic}
        streams = OperatorInputs.streams(cameras, driver)
        # On /diagnostics nodes are called by their names alone.
        readings = Readings(streams, p.timeline_s, p.control_node.rpartition('/')[2])
        self._readings = readings
        frames = CameraFrames(tuple(cameras), p.image_size, p.jpeg_quality)
        self._port = OperatorPort(self, p.control_node, p.record_node,
                                  (profile.base_frame, profile.tool_frame),
                                  lambda: readings.snapshot(time.monotonic()))
        settings = PanelSettings(
            profile.name,
            Limits((profile.gripper.closed, profile.gripper.open), p.jog_speed,
                   p.jog_rotation_speed),
            p.deadman_s, p.image_hz, p.max_panels, p.service_timeout_s, tuple(p.tasks))
        access = Access.of_machine(p.host, token, p.allowed_hosts)
        self._log_handler = log_to(self.get_logger())
        self._server = PanelServer(
            p.host, p.port, lambda: Hub(settings, access, self._port, readings, frames),
            share_file('web', 'panel.html').parent,
            tls=(p.tls_certificate, p.tls_key) if p.tls_certificate else None)
        self._inputs = OperatorInputs(self, profile, driver, cameras,
                                      p.image_transport == 'compressed', readings, frames)
        self._diagnostics = Diagnostics(self, hardware_id=profile.name)
        self._diagnostics.add_source(self._report)
        self._server.start()
        self.get_logger().info(f'panel: {self._address(token, made)}')

    def shutdown(self) -> None:
        """Close the pages, which gives back what they held."""
        self._server.stop()
        stop_logging(self._log_handler)

    def _address(self, token: str, made: bool) -> str:
        """Return where to go. A token that somebody chose is not written down anywhere."""
        p = self.parameters
        scheme = 'https' if p.tls_certificate else 'http'
        address = f'{scheme}://{_reachable(p.host)}:{self._server.port}/'
        if made:
            # Behind #, which a browser sends to nobody.
            return f'{address}#token={token}'
        return f'{address} (asks for the token)' if token else address

    def _report(self) -> None:
        self._server.raise_error()  # here, where it ends the node
        self._readings.set_services(self._port.services())
        pages = self._server.hub.pages if self._server.hub is not None else 0
        exposed = not is_loopback(self.parameters.host) and not self.parameters.tls_certificate
        self._diagnostics.set(
            'panel', Level.OK, f'{pages} pages open' + (', not encrypted' if exposed else ''),
            port=self._server.port)


def _reachable(host: str) -> str:
    """Return a host to put into an address; a wildcard becomes this machine's own address."""
    if host not in ('0.0.0.0', '::', ''):
        return f'[{host}]' if ':' in host else host
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(('192.0.2.1', 9))  # sends nothing: it only chooses a network
            return str(probe.getsockname()[0])
        except OSError:
            return socket.gethostname()


def main(argv: list[str] | None = None) -> int:
    """Run the node until SIGINT or SIGTERM."""
    return run_node(OperatorNode, 'operator_node', args=argv)


if __name__ == '__main__':
    sys.exit(main())
