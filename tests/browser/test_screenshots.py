"""The pictures of docs/admin.md, light and dark: `make screenshots` takes them anew."""

import re
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from ..admin.conftest import EVENTS
from .conftest import DESKTOP, IMAGES
from .helpdesk import ERROR
from .places import PLACES

pytestmark = pytest.mark.slow

DOCS = Path(__file__).parent.parent.parent / "docs"
SHOWN = (
    "overview",
    "receivers",
    "failure groups",
    "events",
    "event",
    "record",
    "replay",
    "replay under way",
    "replay done",
    "rejections",
    "rejection unreadable",
)
"""Places with a picture in docs/admin.md."""


def test_the_pictures_show_the_admin_in_both_themes(browse, helpdesk, tmp_path):
    helpdesk.morning()
    directory = Path(IMAGES or tmp_path)
    directory.mkdir(exist_ok=True)
    admin = browse("rita", device_scale_factor=1)
    admin.open(EVENTS).button("Toggle navigation").click()
    taken = set()
    for place in SHOWN:
        admin.open(PLACES[place]())
        if place == "event":
            admin.read_traceback(ERROR)
        for theme in ("light", "dark"):
            admin.wear(theme, DESKTOP)
            picture = directory / f"{place.replace(' ', '-')}-{theme}.png"
            # A whole page, for what is cut off explains nothing.
            picture.write_bytes(smaller(admin.tab.screenshot(full_page=True)))
            assert admin.too_wide() == []
            taken.add(picture.name)
            assert looks(theme, picture)
    assert taken == set(re.findall(r"images/([\w-]+\.png)", (DOCS / "admin.md").read_text("utf-8")))


def smaller(png: bytes) -> bytes:
    """A third of the bytes, and no difference that anybody sees: 256 colours instead of 2000."""
    small = BytesIO()
    with Image.open(BytesIO(png)) as picture:
        # Error diffusion would dot what is plain, and plain is what packs well.
        colours = picture.convert("RGB").quantize(256, dither=Image.Dither.NONE)
        colours.save(small, "PNG", optimize=True)
    return small.getvalue()


def looks(theme: str, path: Path) -> bool:
    """Whether most of a picture is as bright as its theme is, and as wide as the window."""
    with Image.open(path) as picture:
        assert picture.width == DESKTOP["width"]
        assert picture.height >= DESKTOP["height"]
        grey = picture.convert("L").histogram()
    brighter = sum(grey[128:]) > sum(grey[:128])
    return brighter == (theme == "light")
