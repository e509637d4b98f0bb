"""Tracebacks: which lines of them are of the project's own code."""

import json
import traceback

import pytest

from superoffice_hooks import receivers
from superoffice_hooks.admin.tracebacks import is_own, own_lines

RECEIVER = "helpdesk.receivers.escalate"
STORED = """\
Traceback (most recent call last):
  File "/srv/app/superoffice_hooks_copy/receivers.py", line 185, in call
    function(**arguments)
  File "/srv/.venv/lib/python3.12/site-packages/requests/api.py", line 3, in get
    return request()
           ~~~~~~~^^
requests.ConnectionError: refused

The above exception was the direct cause of the following exception:

Traceback (most recent call last):
  File "/usr/lib/python3.12/json/decoder.py", line 338, in decode
    raise error
  File "/srv/app/helpdesk/receivers.py", line 12, in escalate
    queue(event)
    ~~~~~^^^^^^^
  File "<string>", line 1, in generated
LookupError: There is no queue.
It has two lines.
"""


def test_frames_of_libraries_are_left_out_and_what_is_between_frames_stays():
    assert own_lines(STORED, RECEIVER).splitlines() == [
        '  File "/srv/app/superoffice_hooks_copy/receivers.py", line 185, in call',
        "    function(**arguments)",
        "requests.ConnectionError: refused",
        "",
        "The above exception was the direct cause of the following exception:",
        "",
        '  File "/srv/app/helpdesk/receivers.py", line 12, in escalate',
        "    queue(event)",
        "    ~~~~~^^^^^^^",
        "LookupError: There is no queue.",
        "It has two lines.",
    ]


@pytest.mark.parametrize(
    "text", ["", "LookupError: no frame", "Traceback (most recent call last):"]
)
def test_without_a_frame_of_the_project_there_are_no_lines(text):
    assert own_lines(text, RECEIVER) == ""
    library = STORED.replace("/srv/app", "/srv/lib/python3.12/site-packages").replace(
        "helpdesk", "other"
    )
    assert own_lines(library, RECEIVER) == ""


def test_a_project_that_is_installed_is_the_project_all_the_same():
    installed = "/srv/.venv/lib/python3.12/site-packages/helpdesk/receivers.py"
    assert is_own(installed, "helpdesk")
    assert not is_own(installed, "other")
    beside = "/srv/helpdesk/lib/site-packages/superoffice_hooks/receivers.py"
    assert not is_own(beside, "helpdesk")


def test_files_of_windows_are_recognised():
    assert not is_own(r"C:\app\.venv\Lib\site-packages\django\db.py")
    assert is_own(r"C:\app\helpdesk\receivers.py")


def test_a_real_traceback_of_a_group_of_errors_is_read():
    def decode():
        json.loads("{")

    errors = []
    for _ in range(2):
        try:
            decode()
        except ValueError as error:
            errors.append(error)
    text = "".join(traceback.format_exception(ExceptionGroup("both", errors)))
    own = own_lines(text, "tests.admin")
    assert own.count(", in decode\n") == 2
    assert "decoder.py" not in own
    assert "JSONDecodeError" in own


def test_our_own_frames_are_no_frames_of_the_project():

    assert not is_own(str(receivers.__file__))
