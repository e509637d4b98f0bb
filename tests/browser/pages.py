"""The admin as somebody at the screen knows it: by its words, not by its markup.

What a page is made of may change; tests go through here, so that they need not.
"""

import re
from typing import Any, Self

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import ConsoleMessage, Dialog, Locator, Page, Request, Response, expect

expect.set_options(timeout=15_000)
PARDONED = {
    # Django's label of the search field is a picture with a text, and axe counts letters only.
    ("label-title-only", "#searchbar"),
}
TRACEBACK = "Traceback (most recent call last)"


class Admin:
    """One tab. What it should never do is written down, and fails the test in the end."""

    def __init__(self, tab: Page, url: str) -> None:
        self.tab = tab
        self.url = url
        self.complaints: list[str] = []
        tab.set_default_timeout(15_000)
        tab.on("console", self._console_said)
        tab.on("pageerror", lambda error: self.complaints.append(f"script error: {error}"))
        tab.on("dialog", self._dialog_opened)
        tab.on("request", self._requested)
        tab.on("response", self._answered)

    def _console_said(self, message: ConsoleMessage) -> None:
        asked_for_an_icon = message.location["url"].endswith("/favicon.ico")  # by Chromium itself
        if message.type in {"error", "warning"} and not asked_for_an_icon:
            self.complaints.append(f"console {message.type}: {message.text}")

    def _dialog_opened(self, dialog: Dialog) -> None:
        self.complaints.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def _requested(self, request: Request) -> None:
        if not request.url.startswith((f"{self.url}/", "data:")):
            self.complaints.append(f"request to elsewhere: {request.url}")

    def _answered(self, response: Response) -> None:
        if response.status >= 400:
            self.complaints.append(f"{response.status} for {response.url}")

    def open(self, path: str = "/admin/") -> Self:
        self.tab.goto(f"{self.url}{path}")
        return self

    def path(self) -> str:
        """Where the tab is now, as ``open`` takes it."""
        return self.tab.url.removeprefix(self.url)

    def status_of(self, path: str) -> int:
        """The answer to somebody who types the address."""
        return self.tab.request.get(f"{self.url}{path}").status

    def posted(self, path: str) -> int:
        """The answer to somebody who makes a form of their own, token and all."""
        [cookie] = [one for one in self.tab.context.cookies() if one["name"] == "csrftoken"]
        headers = {"X-CSRFToken": cookie["value"]}
        return self.tab.request.post(f"{self.url}{path}", headers=headers).status

    def log_in(self, name: str, password: str) -> None:
        self.tab.get_by_label("Username").fill(name)
        self.tab.get_by_label("Password").fill(password)
        self.button("Log in").click()

    def link(self, words: str) -> Locator:
        return self.tab.get_by_role("link", name=words, exact=True).first

    def button(self, words: str) -> Locator:
        return self.tab.get_by_role("button", name=words, exact=True)

    def replay_button(self) -> Locator:
        """On the page of an event; whether it is a link or a button is a matter of taste."""
        return self.link("Replay").or_(self.button("Replay"))

    def filter_by_changed_field(self, name: str) -> None:
        # Two tabs of the same width differ in where the filters stand, and whether they are open.
        self.unfold_filter("changed field")
        field = self.tab.get_by_label("changed field")
        field.fill(name)
        field.press("Enter")
        self.tab.wait_for_url(re.compile(rf"[?&]changed={name}"))

    def unfold_filter(self, title: str) -> None:
        if not self.tab.get_by_label(title).is_visible():
            self.filter_summary(title).click()

    def filter_summary(self, title: str) -> Locator:
        """What opens a filter of the list."""
        return self.tab.locator("#changelist-filter summary").filter(has_text=f"By {title}")

    def rows(self) -> Locator:
        """The rows of a list."""
        return self.tab.locator("#result_list tbody").get_by_role("row")

    def open_row(self, words: str) -> None:
        self.rows().filter(has_text=words).first.get_by_role("link").first.click()

    def select_row(self, words: str) -> None:
        self.rows().filter(has_text=words).first.get_by_role("checkbox").check()

    def run_action(self, words: str) -> None:
        self.tab.get_by_label("Action:").select_option(label=words)
        self.tab.get_by_role("button", name=re.compile("Go|Run")).click()

    def read_traceback(self, error: str) -> Locator:
        """The traceback of an error, with the code of libraries."""
        expect(self.headline(error)).to_be_visible()
        shown = self.tab.get_by_text(TRACEBACK).filter(has_text=error).first
        if not shown.is_visible():
            self.traceback_summary().click()
        expect(shown).to_be_visible()
        return shown

    def headline(self, error: str) -> Locator:
        """The line of an error, above everything else."""
        return self.tab.locator(".superoffice-headline").filter(has_text=error).first

    def traceback_summary(self) -> Locator:
        """What opens the traceback."""
        return self.tab.locator("summary").filter(has_text="The whole traceback").first

    def give_reason(self, why: str) -> None:
        self.tab.get_by_label("Reason").fill(why)

    def says(self, words: str) -> None:
        expect(self.tab.locator("body")).to_contain_text(words)

    def text(self) -> str:
        """Everything a person could read, what is folded included."""
        self.tab.evaluate("document.querySelectorAll('details').forEach(part => part.open = true)")
        return " ".join(self.tab.locator("body").inner_text().split())

    def wear(self, theme: Any, size: Any) -> None:
        """Show the page as it is in another theme and another window."""
        self.tab.emulate_media(color_scheme=theme)
        self.tab.set_viewport_size(size)
        self._finish_animations()

    def print_on(self, paper: Any) -> None:
        """Show the page as it is on paper of this size, of somebody whose theme is dark."""
        self.tab.emulate_media(media="print", color_scheme="dark")
        self.tab.set_viewport_size(paper)
        self._finish_animations()

    def _finish_animations(self) -> None:
        # Half way from light to dark, nothing can be read.
        self.tab.evaluate("document.getAnimations().forEach(animation => animation.finish())")

    def too_wide(self) -> list[str]:
        """What sticks out of the window and makes the whole page scroll sideways."""
        found: list[str] = self.tab.evaluate(STICKING_OUT)
        return found

    def barriers(self) -> list[str]:
        """What axe-core finds that keeps people from using the page."""
        return [
            f"{found['id']} ({found['impact']}): {node['html']} {node['failureSummary']}"
            for found in Axe().run(self.tab).response["violations"]
            if found["impact"] in {"serious", "critical"}
            for node in found["nodes"]
            if (found["id"], *node["target"]) not in PARDONED
        ]

    def wasted_ink(self) -> list[str]:
        """What is dark behind a text, or light on white, and what nobody needs on paper."""
        found: list[str] = self.tab.locator("body, body *").evaluate_all(WASTED_INK)
        return found

    def nameless_tables(self) -> list[str]:
        """What a screen reader could not name; Django's list is named by the page."""
        found: list[str] = self.tab.locator("table:not(#result_list)").evaluate_all(NAMELESS)
        return found

    def tab_to(self, goal: Locator) -> None:
        """Press Tab until the goal has the focus, as somebody without a mouse does."""
        for _ in range(150):
            self.tab.keyboard.press("Tab")
            if goal.evaluate("element => element === document.activeElement"):
                return
        raise AssertionError(f"Tab does not lead to {goal}.")


NAMELESS = """tables => tables
    .filter(table => !table.closest("#nav-sidebar"))
    .filter(table => !table.caption && !table.ariaLabel && !table.closest("[aria-labelledby]"))
    .map(table => table.outerHTML.slice(0, 120))"""
WASTED_INK = """elements => {
    const brightness = colour => {
        const [red, green, blue, alpha = 1] = colour.match(/[\\d.]+/g).map(Number);
        return alpha ? (red + green + blue) / 3 : null;
    };
    const texts = element => [...element.childNodes].some(
        node => node.nodeType === Node.TEXT_NODE && node.textContent.trim()
    );
    return elements
        .filter(element => element.checkVisibility() && !element.closest("svg, .visually-hidden"))
        .filter(element => {
            const style = getComputedStyle(element);
            const ground = brightness(style.backgroundColor);
            return (ground !== null && ground < 128)
                || (texts(element) && brightness(style.color) > 128)
                || element.matches("#header, #nav-sidebar, .breadcrumbs, .submit-row");
        })
        .slice(0, 5)
        .map(element => element.outerHTML.slice(0, 120));
}"""
STICKING_OUT = """() => {
    const page = document.documentElement;
    if (page.scrollWidth <= page.clientWidth) return [];
    return [...document.body.querySelectorAll("*")]
        .filter(element => element.getBoundingClientRect().right > page.clientWidth)
        .slice(0, 5)
        .map(element => element.outerHTML.slice(0, 120));
}"""
