"""Ctrl-C is never lost and comes only where it may."""

from __future__ import annotations

import signal
import threading

import pytest
from nni_client.interrupts import Interrupts, interrupt_by


@pytest.fixture(autouse=True)
def plain_handler():
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    signal.signal(signal.SIGINT, before)


def press():
    signal.raise_signal(signal.SIGINT)


def test_it_is_noted_and_raised_later():
    with Interrupts() as interrupts:
        press()
        assert interrupts.count == 1
        with pytest.raises(KeyboardInterrupt), interrupts.raised_here():
            pytest.fail("the one before is raised at once")
        with interrupts.raised_here():
            pass


def test_it_is_raised_where_it_may_be():
    with Interrupts() as interrupts:
        with pytest.raises(KeyboardInterrupt), interrupts.raised_here():
            press()
        press()
        with pytest.raises(KeyboardInterrupt):
            interrupts.check()
        interrupts.check()
        assert interrupts.count == 2


def test_a_handler_of_the_user_stays():
    pressed = []
    signal.signal(signal.SIGINT, lambda number, frame: pressed.append(number))
    with Interrupts() as interrupts:
        press()
    assert pressed == [signal.SIGINT]
    assert interrupts.count == 0
    signal.signal(signal.SIGINT, signal.default_int_handler)


def test_other_threads_change_nothing():
    seen = []

    def run():
        with Interrupts():
            seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert seen == [signal.default_int_handler]


def test_another_signal_interrupts_and_is_named():
    with Interrupts() as interrupts:
        interrupt_by(signal.SIGTERM)
        assert (interrupts.count, interrupts.cause) == (1, signal.SIGTERM)
        signal.raise_signal(signal.SIGINT)
        assert (interrupts.count, interrupts.cause) == (2, signal.SIGINT)
