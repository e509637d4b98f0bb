"""``rejections/``: what was refused, and what was signed but could not be read."""

from ..models import Rejection
from .filters import RejectionFilterSet
from .rows import Detail, List
from .serializers.rejections import RejectionDetailSerializer, RejectionSerializer


class RejectionList(List):
    """Rejections in the order of receipt, the newest first."""

    queryset = Rejection.objects.all()
    serializer_class = RejectionSerializer
    filterset_class = RejectionFilterSet


class RejectionDetail(Detail):
    """One rejection, with what is kept of its body."""

    queryset = Rejection.objects.all()
    serializer_class = RejectionDetailSerializer
