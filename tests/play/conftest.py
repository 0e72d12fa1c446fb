"""A trained net, and its page in a browser without a window."""

import pytest
from in_chromium import CHROMIUM, PATIENCE
from in_play import opened
from playwright.sync_api import sync_playwright
from trained import on_few_digits

from minise import data
from minise.play.collection import collect
from minise.play.server import serving


@pytest.fixture(scope="module")
def net():
    return on_few_digits()


@pytest.fixture(scope="module")
def collection(net):
    digits = data.load("sample").test
    return collect(net, digits.images[:200], digits.labels[:200])


@pytest.fixture(scope="module")
def browser():
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox"], timeout=PATIENCE
        )
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def address(net, collection):
    with serving(net, collection, "a net") as address:
        yield address


@pytest.fixture
def page(browser, address):
    with opened(browser, address) as page:
        yield page
