"""For uvicorn and daphne."""

import os

from django.core.asgi import get_asgi_application

from superoffice_hooks.door import door

application = get_asgi_application()
if os.environ.get("HARD_DOOR"):
    application = door(application)
