"""docs/openapi.yaml: ``python -m tests.openapi`` writes it, and compares it with ``--check``."""

import os
import sys
from pathlib import Path
from typing import Any

PATH = Path(__file__).parent.parent / "docs" / "openapi.yaml"


def schema() -> dict[str, Any]:
    """What drf-spectacular makes of the test project."""
    from drf_spectacular.generators import SchemaGenerator

    generator = SchemaGenerator()
    made: dict[str, Any] = generator.get_schema(request=None, public=True)
    return made


def written() -> str:
    """The same as YAML."""
    from drf_spectacular.renderers import OpenApiYamlRenderer

    text: bytes = OpenApiYamlRenderer().render(schema(), renderer_context={})
    return text.decode()


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
    import django

    django.setup()
    if "--check" not in sys.argv:
        PATH.write_text(written(), encoding="utf-8")
    elif PATH.read_text(encoding="utf-8") != written():
        sys.exit("docs/openapi.yaml is not what the API is: run make openapi.")


if __name__ == "__main__":
    main()
