"""Who may: Django's permissions for our models, for reading too. Nobody is let in unasked."""

from rest_framework.permissions import DjangoModelPermissions

_VIEW = "%(app_label)s.view_%(model_name)s"


class MayView(DjangoModelPermissions):
    """Wants the permission to view the view's model; lets no method pass that it does not name."""

    perms_map = {  # noqa: RUF012  (REST framework's)
        "GET": [_VIEW],
        "HEAD": [_VIEW],
        "OPTIONS": [_VIEW],
    }


class MayReplay(MayView):
    """The same for looking; whoever POSTs needs the permission to see events and to replay them."""

    perms_map = {  # noqa: RUF012  (REST framework's)
        **MayView.perms_map,
        "POST": ["superoffice_hooks.view_event", "superoffice_hooks.replay_event"],
    }
