"""A page as somebody without JavaScript sees it: text, links and forms that can be submitted."""

from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import urlencode, urljoin

from django.test import Client


@dataclass
class Form:
    method: str
    action: str
    id: str
    fields: list[tuple[str, str]] = field(default_factory=list)
    buttons: list[tuple[str, str]] = field(default_factory=list)
    """Those with a name: only the one that is pressed is sent."""


class Page(HTMLParser):
    """The page at a URL, redirects followed."""

    def __init__(self, client: Client, response, url: str) -> None:
        super().__init__()
        self.client = client
        self.status = response.status_code
        self.url = response.redirect_chain[-1][0] if response.redirect_chain else url
        self.html = response.content.decode()
        self.words: list[str] = []
        self.links: dict[str, str] = {}
        self.filters: dict[str, str] = {}
        self.forms: list[Form] = []
        self.tags: list[str] = []
        self._link: tuple[str, int] | None = None
        self._cells: list[tuple[set[str], list[str]]] = []
        self._in_cell = False
        self.feed(self.html)
        self.words_as_sent = "".join(self.words)
        self.text = " ".join(self.words_as_sent.split())

    @classmethod
    def get(cls, client: Client, url: str) -> "Page":
        return cls(client, client.get(url, follow=True), url)

    def click(self, text: str) -> "Page":
        return self.get(self.client, urljoin(self.url, self.links[text]))

    def filter(self, text: str) -> "Page":
        # urljoin takes a lone "?" for no query at all, where a browser takes it for an empty one.
        return self.get(self.client, self.url.partition("?")[0] + self.filters[text])

    def submit(self, having: str, **values: str | list[str]) -> "Page":
        """Fill in the form that has this field or button, and send it with all else it has."""
        form = next(form for form in self.forms if having in dict(form.fields + form.buttons))
        pressed = [button for button in form.buttons if button[0] == having]
        fields = [(name, value) for name, value in form.fields + pressed if name not in values]
        for name, given in values.items():
            fields += [(name, value) for value in ([given] if isinstance(given, str) else given)]
        url = urljoin(self.url, form.action)
        if form.method == "get":
            return self.get(self.client, urljoin(url, f"?{urlencode(fields)}"))
        sent = urlencode(fields)
        response = self.client.post(
            url, sent, content_type="application/x-www-form-urlencoded", follow=True
        )
        return Page(self.client, response, url)

    def cells(self, column: str) -> list[str]:
        """What a column of a list shows, row by row."""
        return [
            " ".join("".join(words).split())
            for classes, words in self._cells
            if f"field-{column}" in classes
        ]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.tags.append(tag)
        if tag in {"td", "th"}:
            self._in_cell = True
            self._cells.append((set(given.get("class", "").split()), []))
        if tag == "a":
            self._link = (given.get("href", ""), len(self.words))
        elif tag == "form":
            self.forms.append(
                Form(given.get("method", "get"), given.get("action", ""), given.get("id", ""))
            )
        elif (
            tag in {"input", "textarea", "select", "button"}
            and self.forms
            and given.keys() & {"name", "formaction"}
        ):
            kind = given.get("type", tag)
            if "formaction" in given:
                # A form of its own, as far as what it sends goes.
                tokens = [one for one in self.forms[-1].fields if one[0] == "csrfmiddlewaretoken"]
                how = (given["formmethod"], given["formaction"], given.get("id", ""))
                self.forms.append(Form(*how, fields=tokens))
            elif kind in {"submit", "button"}:
                self.forms[-1].buttons.append((given["name"], given.get("value", "")))
            elif kind not in {"checkbox", "radio"} or "checked" in given:
                unsaid = "on" if kind in {"checkbox", "radio"} else ""
                self.forms[-1].fields.append((given["name"], given.get("value", unsaid)))

    def handle_endtag(self, tag: str) -> None:
        if tag in {"td", "th"}:
            self._in_cell = False
        if tag == "a" and self._link:
            href, start = self._link
            text = " ".join("".join(self.words[start:]).split())
            # A filter's choice and a row may read the same.
            (self.filters if href.startswith("?") else self.links)[text] = href

    def handle_data(self, data: str) -> None:
        self.words.append(data)
        if self._in_cell:
            self._cells[-1][1].append(data)
