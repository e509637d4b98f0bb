"""A process with Django set up that carries out commands: ``python -m benchmarks.worker``.

A line of JSON names a function of ``measuring`` or ``backlog`` and its arguments; the answer is
another.
"""

import json
import sys

import django

django.setup()

from . import backlog, measuring  # noqa: E402

for line in sys.stdin:
    order = json.loads(line)
    module = measuring if hasattr(measuring, order["function"]) else backlog
    result = getattr(module, order["function"])(**order["arguments"])
    print(json.dumps(result), flush=True)
