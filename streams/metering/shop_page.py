"""The frame of the page that a shop's customers read: prices, plans and terms look the same whatever is sold."""

from __future__ import annotations

from importlib import resources
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jinja2 import Template


def shop_template(package: str) -> Template:
    """Return a stream's `templates/docs.html`, which fills the blocks of `shop.html`. Slow: once, and in a thread.

    What it is rendered with is escaped. Besides its own, it needs `settings` (title, tagline, asset, plans,
    default_plan), `entries` with a `curl` each, `base_url`, and `sold`: what is counted, `Calls`.

    Args:
        package: The stream's package.
    """
    from jinja2 import DictLoader, Environment, StrictUndefined

    sources = {
        name: resources.files(place).joinpath("templates", name).read_text(encoding="utf-8")
        for name, place in (("shop.html", "streams.metering"), ("docs.html", package))
    }
    environment = Environment(
        loader=DictLoader(sources),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template("docs.html")
