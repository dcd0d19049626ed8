"""Makes the pictures of the operator panel in a running simulation: ``make_panel_pictures.py``.

Needs chromium, chromedriver and selenium. Every state is left in ``--out``; the two that the README
shows are also written to ``docs/images``.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.action_chains import ActionChains

from vla_ros.demo.isolation import isolate

FOLDER = Path(__file__).resolve().parent.parent / 'docs' / 'images'
FLAGS = ('--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
         '--disable-background-networking', '--disable-component-update', '--disable-sync',
         '--hide-scrollbars')
DESKTOP, PHONE = (1400, 1020), (390, 844)
TIMEOUT_S = 90.0


def start(folder: Path, name: str, *command: str) -> subprocess.Popen[bytes]:
    """Run a module of the package, its output in a file."""
    with (folder / f'{name}.log').open('wb') as out:
        return subprocess.Popen([sys.executable, '-m', *command], stdout=out,
                                stderr=subprocess.STDOUT)


def wait(condition: Callable[[], Any], what: str) -> Any:
    """Return the condition's value as soon as it is true."""
    deadline = time.monotonic() + TIMEOUT_S
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise TimeoutError(f'{what}: not within {TIMEOUT_S:g} s')
        time.sleep(0.05)
    return value


class Panel:
    """A browser of one size on the panel."""

    def __init__(self, url: str, size: tuple[int, int], phone: bool, out: Path) -> None:
        options = webdriver.ChromeOptions()
        options.binary_location = str(shutil.which('chromium') or shutil.which('google-chrome'))
        profile = tempfile.mkdtemp(prefix='panel_pictures_')
        for flag in (*FLAGS, f'--window-size={size[0]},{size[1] + 143}',
                     f'--user-data-dir={profile}'):
            options.add_argument(flag)
        if phone:
            options.add_experimental_option('mobileEmulation', {'deviceMetrics': {
                'width': size[0], 'height': size[1], 'pixelRatio': 2, 'touch': True}})
        self.driver = webdriver.Chrome(options=options,
                                       service=Service(shutil.which('chromedriver')))
        self.out, self.name = out, 'phone' if phone else 'desktop'
        self.driver.get(url)

    def wait_text(self, selector: str, part: str) -> None:
        wait(lambda: part in self.driver.execute_script(
            'return document.querySelector(arguments[0]).innerText', selector),
            f'{part!r} in {selector}')

    def press(self, selector: str, hold: bool = False) -> None:
        """Press a button; again when the machine was so busy that it was refused as late."""
        element = self.driver.find_element('css selector', selector)
        self.driver.execute_script('arguments[0].scrollIntoView({block: "center"})', element)
        while True:
            wait(element.is_enabled, selector)
            actions = ActionChains(self.driver, duration=0)
            (actions.click_and_hold(element) if hold else actions.click(element)).perform()
            time.sleep(0.5)
            if 'too late' not in self.driver.find_element('id', 'answer').text:
                return
            self.let_go()

    def let_go(self) -> None:
        ActionChains(self.driver, duration=0).release().perform()

    def shoot(self, state: str, scroll: int = 0) -> Path:
        self.driver.execute_script('scrollTo(0, arguments[0])', scroll)
        time.sleep(0.7)  # for the newest pictures and states
        path = self.out / f'{self.name}_{state}.png'
        self.driver.save_screenshot(str(path))
        print(path)
        return path


def shoot_all(url: str, out: Path, operator: subprocess.Popen[bytes]) -> None:
    """Go through the panel's states on both sizes."""
    desktop = Panel(url, DESKTOP, False, out)
    phone = Panel(url, PHONE, True, out)
    try:
        desktop.wait_text('#mode', 'AUTONOMOUS')
        shoot_pair(desktop, phone, 'autonomous')
        desktop.press('[data-gripper-mode=latched]')
        desktop.press('[data-gripper=close]')
        desktop.wait_text('#owner-gripper', 'panel')
        shoot_pair(desktop, phone, 'gripper')
        desktop.press('[data-gripper=release]')
        desktop.press('[data-arm=takeover]')
        desktop.wait_text('#mode', 'INTERVENTION')
        desktop.press('[data-key=r]', hold=True)
        desktop.wait_text('#mode', 'INTERVENTION')
        keep(shoot_pair(desktop, phone, 'takeover')[0], 'panel.jpg', 1000)
        phone.shoot('takeover_controls', 620)
        phone.shoot('takeover_bottom', 1500)
        desktop.let_go()
        desktop.press('[data-arm=release]')
        phone.wait_text('#mode', 'AUTONOMOUS')
        phone.press('[data-gripper-mode=latched]')
        phone.press('[data-gripper=close]')
        phone.wait_text('#owner-gripper', 'panel')
        keep(phone.shoot('gripper_by_phone'), 'panel_phone.jpg', 390)
        desktop.press('#estop')
        desktop.wait_text('#mode', 'STOPPED')
        shoot_pair(desktop, phone, 'estop')
        operator.send_signal(signal.SIGSTOP)
        wait(lambda: desktop.driver.execute_script(
            'return document.body.className.includes("lost")'), 'the loss')
        shoot_pair(desktop, phone, 'lost')
    finally:
        operator.send_signal(signal.SIGCONT)
        desktop.driver.quit()
        phone.driver.quit()


def shoot_pair(desktop: Panel, phone: Panel, state: str) -> tuple[Path, Path]:
    """Take a picture of the same moment on both."""
    return desktop.shoot(state), phone.shoot(state)


def keep(path: Path, name: str, width: int) -> None:
    """Write a picture to the documentation, small."""
    picture = cv2.imread(str(path))
    height = round(picture.shape[0] * width / picture.shape[1])
    cv2.imwrite(str(FOLDER / name), cv2.resize(picture, (width, height),
                                               interpolation=cv2.INTER_AREA),
                [cv2.IMWRITE_JPEG_QUALITY, 82])


def main() -> None:
    """Start the simulation and the panel, take the pictures, stop everything."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--out', type=Path, default=Path('out/panel'))
    out = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    isolate()
    os.environ.setdefault('PYTHONUNBUFFERED', '1')
    graph = start(out, 'up', 'vla_ros.cli.main', 'up', 'robot:=piper',
                  'instruction:=hang the insulator on the hook')
    operator = start(out, 'operator_node', 'vla_ros.ros.operator_node', '--ros-args', '-p',
                     'driver:=sim', '-p', 'port:=0',
                     '-p', 'deadman_s:=2.0')
    try:
        log = out / 'operator_node.log'
        found = wait(lambda: re.search(r'panel: (http\S+)', log.read_text()), 'the address')
        shoot_all(found[1], out, operator)
    finally:
        for process in (operator, graph):
            process.send_signal(signal.SIGINT)
            process.wait(30.0)


if __name__ == '__main__':
    main()
