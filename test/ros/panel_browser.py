"""A headless browser on the operator's panel, as the tests use it: real pointers and real keys."""

from __future__ import annotations

import os
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

TIMEOUT_S = 40.0

_BROWSERS = ('chromium', 'google-chrome', 'chrome')
_FLAGS = ('--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
          '--disable-background-networking', '--disable-component-update', '--disable-sync',
          '--disable-dev-shm-usage', '--window-size=1400,1050')


def needs_browser() -> tuple[str, str]:
    """Return the paths of browser and driver, or skip, saying what is missing."""
    pytest.importorskip('selenium')
    browser = next(filter(None, map(shutil.which, _BROWSERS)), None)
    driver = shutil.which('chromedriver')
    if browser is None or driver is None:
        pytest.skip('no chromium with chromedriver here (tools/install_browser.sh)')
    return browser, driver


class Browser:
    """One tab."""

    def __init__(self, profile: Path) -> None:
        from selenium import webdriver
        from selenium.webdriver.chrome.service import Service

        browser, driver = needs_browser()
        options = webdriver.ChromeOptions()
        options.binary_location = browser
        for flag in (*_FLAGS, f'--user-data-dir={profile}'):
            options.add_argument(flag)
        options.set_capability('goog:loggingPrefs', {'browser': 'ALL'})
        self._service = Service(driver)
        self.driver = webdriver.Chrome(options=options, service=self._service)
        self.driver.set_script_timeout(TIMEOUT_S)

    def close(self) -> None:
        self.go_on()
        self.driver.quit()

    # What is there

    def open(self, url: str) -> None:
        self.driver.get(url)

    def element(self, selector: str) -> Any:
        return self.driver.find_element('css selector', selector)

    def text(self, selector: str) -> str:
        return str(self.driver.execute_script(
            'return document.querySelector(arguments[0]).innerText', selector))

    def lost(self) -> bool:
        return bool(self.driver.execute_script('return document.body.className.includes("lost")'))

    def enabled(self, selector: str) -> bool:
        return bool(self.element(selector).is_enabled())

    def wait(self, condition: Callable[[], Any], what: str) -> Any:
        """Return the condition's value as soon as it is true; fail, with what the page shows."""
        deadline = time.monotonic() + TIMEOUT_S
        while not (value := condition()):
            if time.monotonic() > deadline:
                pytest.fail(f'{what}: not within {TIMEOUT_S:g} s. The page shows:\n'
                            f'{self.text("body")}\n{self.driver.get_log("browser")}')
            time.sleep(0.02)
        return value

    def until(self, act: Callable[[], Any], condition: Callable[[], Any], what: str) -> None:
        """Act and wait; act again when the machine was too busy.

        Then it is refused as late, or the page thought that it had lost the connection just then.
        """
        act()
        acted = time.monotonic()

        def done() -> bool:
            nonlocal acted
            if condition():
                return True
            if 'too late' in self.text('#answer') or time.monotonic() - acted > TIMEOUT_S / 4:
                self.driver.execute_script('document.querySelector("#answer").textContent = ""')
                act()
                acted = time.monotonic()
            return False

        self.wait(done, what)

    def wait_text(self, selector: str, part: str) -> None:
        self.wait(lambda: part in self.text(selector), f'{part!r} in {selector}')

    # What a hand does

    def press(self, selector: str) -> None:
        """Press with the pointer, and hold."""
        self.wait(lambda: self.enabled(selector), f'{selector} enabled')
        element = self.element(selector)
        # Away from the header, which stays where it is and has the emergency stop in it.
        self.driver.execute_script('arguments[0].scrollIntoView({block: "center"})', element)
        self._actions().click_and_hold(element).perform()

    def let_go(self) -> None:
        self._actions().release().perform()

    def click(self, selector: str) -> None:
        self.press(selector)
        self.let_go()

    def key_down(self, key: str) -> None:
        self._actions().key_down(key).perform()

    def key_up(self, key: str) -> None:
        self._actions().key_up(key).perform()

    def key(self, key: str) -> None:
        self.key_down(key)
        self.key_up(key)

    def _actions(self) -> Any:
        from selenium.webdriver.common.action_chains import ActionChains

        return ActionChains(self.driver, duration=0)

    # What happens to a browser

    def freeze(self) -> None:
        """Stop all its processes, as a machine that is put to sleep does."""
        for pid in _descendants(self._service.process.pid):
            os.kill(pid, signal.SIGSTOP)

    def go_on(self) -> None:
        for pid in _descendants(self._service.process.pid):
            os.kill(pid, signal.SIGCONT)


def _descendants(pid: int) -> list[int]:
    """Return all processes that a process has started, and they in turn."""
    parents: dict[int, list[int]] = {}
    for stat in Path('/proc').glob('[0-9]*/stat'):
        try:
            text = stat.read_text()
        except OSError:
            continue  # it ended
        parent = int(text.rpartition(')')[2].split()[1])
        parents.setdefault(parent, []).append(int(stat.parent.name))
    found, todo = [], [pid]
    while todo:
        children = parents.get(todo.pop(), [])
        found += children
        todo += children
    return found
