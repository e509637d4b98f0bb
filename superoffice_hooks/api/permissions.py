"""Django's permissions for our models, for reading too."""

from rest_framework.permissions import DjangoModelPermissions

_VIEW = "%(app_label)s.view_%(model_name)s"


class MayView(DjangoModelPermissions):
    """The permission to view the model; refuses methods that perms_map does not name."""

    perms_map = {  # noqa: RUF012  (REST framework's)
        "GET": [_VIEW],
        "HEAD": [_VIEW],
        "OPTIONS": [_VIEW],
    }


class MayReplay(MayView):
    """The permission to view the model; for a POST, to view and to replay events."""

    perms_map = {  # noqa: RUF012  (REST framework's)
        **MayView.perms_map,
        "POST": ["superoffice_hooks.view_event", "superoffice_hooks.replay_event"],
    }


class MayTriage(MayView):
    """Requires view_failuregroup; for a POST triage_failuregroup too."""

    perms_map = {  # noqa: RUF012  (REST framework's)
        **MayView.perms_map,
        "POST": [_VIEW, "superoffice_hooks.triage_failuregroup"],
    }


class MayHandleGroup(MayView):
    """Requires view_failuregroup; for a POST view_event and replay_event too."""

    perms_map = {  # noqa: RUF012  (REST framework's)
        **MayView.perms_map,
        "POST": [_VIEW, "superoffice_hooks.view_event", "superoffice_hooks.replay_event"],
    }


class MayManageWebhooks(MayView):
    """Requires view_watch; for a POST manage_webhooks too."""

    perms_map = {  # noqa: RUF012  (REST framework's)
        **MayView.perms_map,
        "POST": [_VIEW, "superoffice_hooks.manage_webhooks"],
    }
