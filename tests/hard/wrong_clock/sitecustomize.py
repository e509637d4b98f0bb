"""Lets Python sleep under libfaketime, which fails ``time.sleep`` with EINVAL (Python 3.11 on)."""

import select
import time


def sleep(seconds: float) -> None:
    select.select([], [], [], seconds)


time.sleep = sleep  # type: ignore[assignment]
