"""A process with Django set up that does what it is told: ``python -m benchmarks.worker``.

A line of JSON names a function of ``measuring`` and its arguments; the answer is a line of JSON.
"""

import json
import sys

import django

django.setup()

from . import measuring  # noqa: E402

for line in sys.stdin:
    order = json.loads(line)
    result = getattr(measuring, order["function"])(**order["arguments"])
    print(json.dumps(result), flush=True)
