"""For gunicorn."""

import os

from django.core.wsgi import get_wsgi_application

from superoffice_hooks.door import door

application = get_wsgi_application()
if os.environ.get("BENCH_DOOR"):
    application = door(application)
