from __future__ import annotations

from nni_manager.rpc.access import Role
from nni_manager.server.sign_in_codes import LIFETIME_SECONDS, OneTimeCodes


def test_a_code_works_once() -> None:
    codes = OneTimeCodes("http://host:1/p/")
    issued = codes.create(Role.VIEW)
    assert issued.url == f"http://host:1/p/sign-in?code={issued.code}"
    assert codes.redeem(issued.code) is Role.VIEW
    assert codes.redeem(issued.code) is None


def test_an_unknown_code_does_not_work() -> None:
    codes = OneTimeCodes("http://host:1/")
    codes.create(Role.MANAGER)
    assert codes.redeem("") is None
    assert codes.redeem("\udcff") is None


def test_a_code_works_for_ten_minutes() -> None:
    now = [1000.0]
    codes = OneTimeCodes("http://host:1/", clock=lambda: now[0])
    early, late = codes.create(Role.MANAGER), codes.create(Role.MANAGER)
    assert early.expires_at == 1600.0
    now[0] += LIFETIME_SECONDS - 1
    assert codes.redeem(early.code) is Role.MANAGER
    now[0] += 1
    assert codes.redeem(late.code) is None


def test_codes_that_nobody_redeems_are_forgotten() -> None:
    codes = OneTimeCodes("http://host:1/")
    issued = [codes.create(Role.MANAGER).code for _ in range(1100)]
    assert codes.redeem(issued[0]) is None
    assert codes.redeem(issued[-1]) is Role.MANAGER
