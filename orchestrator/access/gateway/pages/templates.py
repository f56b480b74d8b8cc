"""Pages made of templates, on the server. They need no script."""

from __future__ import annotations

from base64 import b64encode
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from orchestrator.access.gateway.guard import CONTENT_POLICY
from orchestrator.access.gateway.pages.static_files import StaticFiles
from streams.http_answer import HttpAnswer

_FOLDER: Final = Path(__file__).parent
_HTML: Final = b"text/html; charset=utf-8"


class Templates:
    """The templates of this folder, read when it is made: slow, for a thread.

    Args:
        files: What `static(…)` in a template finds.
    """

    def __init__(self, files: StaticFiles) -> None:
        files.scan()
        style = (_FOLDER / "plain.css").read_text()
        # The login may refer to nothing, because nothing else is served to a stranger: its style stands in it, and
        # the policy names that very style.
        digest = b64encode(sha256(style.encode()).digest())
        self._policy = CONTENT_POLICY + b"; style-src 'self' 'sha256-%s'; img-src 'self' data:" % digest
        self._environment = Environment(
            loader=FileSystemLoader(_FOLDER), autoescape=True, undefined=StrictUndefined, auto_reload=False
        )
        self._environment.globals.update(style=Markup(style), static=files.address)  # noqa: S704 - the file is ours
        for name in self._environment.list_templates(extensions=["html"]):
            self._environment.get_template(name)

    def page(
        self, name: str, status: int = 200, headers: tuple[tuple[bytes, bytes], ...] = (), **values: Any
    ) -> HttpAnswer:
        """Return a page.

        Args:
            name: The template's file.
            status: The answer's status.
            headers: Further headers.
            values: What the template shows.
        """
        body = self._environment.get_template(name).render(**values).encode()
        return HttpAnswer(status, _HTML, body, [(b"content-security-policy", self._policy), *headers])
