"""The webhook at SuperOffice: as it is wanted, made so, tested, and watched.

Only ``acting``, ``configured`` and ``wanted`` can be imported without the extra ``superoffice``.
Nothing of it is in the path of a delivery.
"""
