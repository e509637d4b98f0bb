"""Names that were renamed work for one more version, with a warning that says when they go."""

import importlib
import re
from pathlib import Path

import pytest

import superoffice_hooks
from superoffice_hooks import exceptions
from superoffice_hooks.exceptions import RemovedInSuperofficeHooks03Warning

OLD_NAMES = [
    ("superoffice_hooks.testing", "MOST_ERRORS", "MAX_ERRORS"),
    ("superoffice_hooks.signals", "verdicts_on", "judged"),
]
PACKAGE = Path(superoffice_hooks.__file__).parent


@pytest.mark.parametrize(("module", "old", "new"), OLD_NAMES)
def test_an_old_name_is_the_new_one_and_warns_where_it_is_used(module, old, new):
    found = importlib.import_module(module)
    said = f"{module}.{old} is called {new} now. The old name goes in 0.3."
    with pytest.warns(RemovedInSuperofficeHooks03Warning, match=re.escape(said)) as warned:
        assert getattr(found, old) is getattr(found, new)
    assert warned[0].filename == __file__


@pytest.mark.parametrize("module", sorted({module for module, _, _ in OLD_NAMES}))
def test_a_name_that_never_was_is_missing_as_usual(module):
    with pytest.raises(AttributeError, match="has no attribute 'never_was'"):
        importlib.import_module(module).never_was  # noqa: B018


def test_every_module_with_old_names_is_tried_here():
    sources = {path: path.read_text(encoding="utf-8") for path in PACKAGE.rglob("*.py")}
    kept = [path for path, text in sources.items() if "__getattr__ = renamed(" in text]
    assert len(kept) == len({module for module, _, _ in OLD_NAMES})


def test_no_old_name_stays_longer_than_its_warning_says():
    """The release in which a class says that names go is the one that deletes both."""
    found = [
        re.fullmatch(r"RemovedInSuperofficeHooks(\d)(\d+)Warning", n) for n in vars(exceptions)
    ]
    gone_in = [tuple(map(int, match.groups())) for match in found if match]
    present = tuple(map(int, superoffice_hooks.__version__.split(".")[:2]))
    assert gone_in
    assert min(gone_in) > present
