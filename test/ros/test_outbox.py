"""What another thread leaves is done by the executor's thread, in order."""

from __future__ import annotations

import threading

from vla_ros.ros.outbox import Outbox


def test_actions_are_done_in_order_in_the_thread_of_the_callbacks(make_node, spin_until):
    node = make_node('outbox')
    outbox, done = Outbox(node), []

    def other() -> None:
        for i in range(100):
            outbox.add(lambda i=i: done.append((i, threading.get_ident())))

    thread = threading.Thread(target=other)
    thread.start()
    spin_until([node], lambda: len(done) == 100, 'all actions')
    thread.join()
    assert done == [(i, threading.get_ident()) for i in range(100)]
    outbox.add(lambda: done.append('one more'))  # when nothing else keeps the executor busy
    spin_until([node], lambda: done[-1] == 'one more', 'one more action')


def test_it_can_be_emptied_when_no_executor_runs(make_node):
    outbox, done = Outbox(make_node('outbox')), []
    outbox.add(lambda: done.append(1))
    outbox.empty()
    outbox.empty()
    assert done == [1]
