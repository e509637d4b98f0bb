"""``application = door(get_wsgi_application())``: the webhook is answered before the middleware.

Django's machinery for a request takes longer than all that the webhook view does, and SuperOffice
needs none of it. The door calls the same view with the same kind of request, so the answers are the
same. All other URLs go on to the application. The URLs are those of the URLconf.

What middleware does is left out for these URLs: the check of ALLOWED_HOSTS, the redirect to HTTPS
and everything of the project's own. The signature alone decides what is let in.
"""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from asgiref.sync import iscoroutinefunction

from .asgi import ASGIDoor
from .wsgi import WSGIDoor

__all__ = ["door"]


def door(application: Any, *, threads: int = 8) -> Any:
    """Return the application with the webhook's URLs answered in front of it.

    Args:
        application: what ``get_wsgi_application()`` or ``get_asgi_application()`` returned, with or
            without others around it.
        threads: how many deliveries an ASGI process takes in at once, each with a connection to the
            database. A WSGI server has threads or processes of its own.
    """
    if iscoroutinefunction(application) or iscoroutinefunction(application.__call__):
        # It starts no thread before the first delivery, so a server may fork until then.
        pool = ThreadPoolExecutor(threads, thread_name_prefix="superoffice_hooks door")
        return ASGIDoor(application, pool)
    return WSGIDoor(application)
