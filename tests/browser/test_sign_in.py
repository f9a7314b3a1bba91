from __future__ import annotations

from typing import Any

from playwright.sync_api import expect


def test_the_bare_address_says_how_to_sign_in_and_nothing_of_the_experiment(
    visit: Any, made_page: Any
) -> None:
    visitor = visit(made_page, is_signed_in=False)
    visitor.watched.allow("401")
    answer = visitor.page.goto(made_page.address)
    assert answer is not None and answer.status == 401
    expect(visitor.page.locator("body")).to_contain_text("nnictl webui url ID")
    assert made_page.experiment_id not in visitor.page.content()


def test_the_printed_link_signs_one_browser_in(visit: Any, start_search: Any) -> None:
    shown = start_search()
    visitor = visit(shown, is_signed_in=False)
    visitor.page.goto(shown.link)
    visitor.page.wait_for_url(shown.address)
    (cookie,) = visitor.watched.context.cookies()
    assert shown.experiment_id in cookie["name"]
    assert cookie["httpOnly"] and cookie["sameSite"] == "Strict"
    assert visitor.page.evaluate("document.cookie") == ""
    assert "code=" not in visitor.page.url

    other = visit(shown, is_signed_in=False)
    other.watched.allow("40[13]")
    answer = other.page.goto(shown.link)
    assert answer is not None and answer.status == 403
    expect(other.page.locator("body")).to_contain_text("This link has been used")


def test_three_experiments_on_one_host_stay_signed_in(visit: Any, start_search: Any) -> None:
    """Cookies do not separate ports."""
    searches = [start_search() for _ in range(3)]
    visitor = visit(searches[0], is_signed_in=False)
    visitor.watched.origins.update(shown.origin for shown in searches)
    for shown in searches:
        visitor.page.goto(shown.link)
        visitor.page.wait_for_url(shown.address)
    for shown in searches:
        answer = visitor.page.goto(shown.address)
        assert answer is not None and answer.status == 200
