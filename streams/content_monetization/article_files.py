"""Where articles come from: those that ship with a topic, and the files of an instance's own directory.

These functions block and belong in a thread.
"""

from __future__ import annotations

import os
import stat
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Final

import msgspec

from config.saving import create_exclusively, write_atomically
from streams.content_monetization.article import MAX_ARTICLE_BYTES, Article, NotAnArticle, parse_article

FOLDER: Final = "content"
MAX_FILES: Final = 2000


class OwnArticles(msgspec.Struct, frozen=True):
    """The articles of an instance's own directory.

    Attributes:
        articles: Those that are in order.
        rejected: Those that are not, by file name, and why.
        version: Changes whenever a file does.
    """

    articles: tuple[Article, ...] = ()
    rejected: dict[str, str] = {}
    version: tuple[tuple[str, int, int], ...] = ()


@lru_cache(maxsize=64)
def starters(topic: str) -> tuple[Article, ...]:
    """Return the articles that ship with a topic; none where the topic is empty or unknown."""
    folder = resources.files("streams.content_monetization").joinpath("starters", topic)
    if not topic or not folder.is_dir():
        return ()
    return tuple(
        parse_article(file.name.removesuffix(".md"), file.read_text(encoding="utf-8"), "starter")
        for file in sorted(folder.iterdir(), key=lambda file: file.name)
        if file.name.endswith(".md")
    )


def topics() -> tuple[str, ...]:
    """Return the topics that articles ship with."""
    folder = resources.files("streams.content_monetization").joinpath("starters")
    return tuple(sorted(entry.name for entry in folder.iterdir() if entry.is_dir()))


def own_articles(directory: Path, former: OwnArticles) -> OwnArticles:
    """Return the articles `content/*.md` of a directory; the former ones where no file has changed.

    Raises:
        OSError: The folder cannot be read.
    """
    folder = directory / FOLDER
    version = _version(folder)
    if version == former.version:
        return former
    articles, rejected = [], {}
    for name, _, size in version[:MAX_FILES]:
        try:
            if size > MAX_ARTICLE_BYTES:
                raise NotAnArticle(name, f"an article is at most {MAX_ARTICLE_BYTES} bytes")
            articles.append(parse_article(name.removesuffix(".md"), (folder / name).read_text(encoding="utf-8")))
        except (NotAnArticle, UnicodeDecodeError, OSError) as error:
            rejected[name] = str(error)
    for name, _, _ in version[MAX_FILES:]:
        rejected[name] = f"there are more than {MAX_FILES} files"
    return OwnArticles(tuple(articles), rejected, version)


def store_article(directory: Path, article: Article, source: str, *, replace: bool) -> None:
    """Write an article's file.

    Raises:
        FileExistsError: There is one of that name, and it is not to be replaced.
        OSError: It cannot be written.
    """
    folder = directory / FOLDER
    folder.mkdir(mode=0o700, exist_ok=True)
    write = write_atomically if replace else create_exclusively
    write(folder / f"{article.slug}.md", source.encode("utf-8"))


def _version(folder: Path) -> tuple[tuple[str, int, int], ...]:
    found = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.endswith(".md") and not entry.name.startswith("."):
                    status = entry.stat(follow_symlinks=False)
                    # A link could lead out of the instance's directory.
                    if stat.S_ISREG(status.st_mode):
                        found.append((entry.name, status.st_mtime_ns, status.st_size))
    except FileNotFoundError:
        return ()
    return tuple(sorted(found))
