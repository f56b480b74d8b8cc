from __future__ import annotations

import copy
import json
import logging
import os
import pickle
import re
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import pytest

from config.errors import ConfigError, HomeError
from config.paths import Paths
from config.secrets import Secret, ensure_token, read_env
from config.store import ConfigStore, section_document


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_secret_does_not_show_itself(caplog: pytest.LogCaptureFixture) -> None:
    secret = Secret("hunter2")
    logging.getLogger("test").warning("%s %r", secret, {"key": secret})
    shown = [repr(secret), str(secret), f"{secret}", f"{secret:>40}", "%s" % secret, str([secret]), caplog.text]  # noqa: UP031
    assert not any("hunter2" in text for text in shown)
    assert secret.reveal() == "hunter2"
    with pytest.raises(TypeError):
        pickle.dumps(secret)
    with pytest.raises(TypeError):
        copy.deepcopy(secret)
    with pytest.raises(TypeError):
        json.dumps(secret)
    with pytest.raises(TypeError):
        msgspec.json.encode(secret)


def test_secrets_compare_by_what_they_hold() -> None:
    assert Secret("ü") == Secret("ü")
    assert Secret("a") != Secret("b")
    assert Secret("a") != "a"


def test_secrets_are_read_and_not_exported(paths: Paths) -> None:
    paths.env_file.write_text("STRIPE_TEST_KEY='hunter2'\n")
    paths.env_file.chmod(0o600)
    env = read_env(paths.env_file)
    assert env.reveal("STRIPE_TEST_KEY") == "hunter2"
    assert env.reveal("OTHER") is None
    assert env.warnings == ()
    assert "STRIPE_TEST_KEY" not in os.environ
    assert "hunter2" not in repr(env) + repr(env.secrets)


def test_a_missing_file_is_made_for_the_owner_alone(paths: Paths) -> None:
    before = os.umask(0)
    try:
        assert read_env(paths.env_file).secrets == {}
    finally:
        os.umask(before)
    assert mode_of(paths.env_file) == 0o600
    assert read_env(paths.env_file).secrets == {}


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o602])
def test_a_file_that_others_can_reach_is_tightened_with_a_warning(paths: Paths, mode: int) -> None:
    paths.env_file.write_text("A=hunter2\n")
    paths.env_file.chmod(mode)
    env = read_env(paths.env_file)
    (warning,) = env.warnings
    assert f"mode {mode:04o}" in warning
    assert "hunter2" not in warning
    assert mode_of(paths.env_file) == 0o600
    assert env.reveal("A") == "hunter2"
    assert read_env(paths.env_file).warnings == ()


def test_a_file_that_is_no_text_is_told_without_its_content(paths: Paths) -> None:
    paths.env_file.write_bytes(b"A=1\nB=hunter2\xff\n")
    with pytest.raises(ConfigError, match=r"\.env: \$ \(line 2, column 1\): expected UTF-8 text") as caught:
        read_env(paths.env_file)
    assert "hunter2" not in str(caught.value)


def test_a_link_that_leads_nowhere_is_told(paths: Paths) -> None:
    paths.env_file.symlink_to(paths.home / "nowhere")
    with pytest.raises(HomeError, match="a link that leads nowhere"):
        read_env(paths.env_file)


def test_a_directory_and_a_huge_file_are_refused(paths: Paths, tmp_path: Path) -> None:
    with pytest.raises(HomeError, match="is a directory, pipe or device"):
        read_env(paths.config)
    huge = tmp_path / "huge"
    huge.write_bytes(b"#" * (1024 * 1024 + 1))
    with pytest.raises(HomeError, match="more than 1048576 bytes"):
        read_env(huge)


def test_the_environment_and_the_shown_configuration_know_no_secret(paths: Paths, store: ConfigStore) -> None:
    paths.env_file.write_text("A=hunter2\n")
    settings = store.load()
    shown = [json.dumps(section_document(settings, name)) for name in settings.__struct_fields__]
    assert not any("hunter2" in text for text in shown)


def test_a_token_is_made_once_and_for_the_owner_alone(paths: Paths) -> None:
    token = ensure_token(paths.secrets, "gateway")
    assert re.fullmatch(r"[A-Za-z0-9_-]{43}", token.reveal())
    assert ensure_token(paths.secrets, "gateway") == token
    assert ensure_token(paths.secrets, "other") != token
    assert mode_of(paths.secrets / "gateway") == 0o600
    assert {file.name for file in paths.secrets.iterdir()} == {"gateway", "other"}


def test_all_who_ask_at_once_get_the_same_token(paths: Paths) -> None:
    with ThreadPoolExecutor(8) as pool:
        tokens = list(pool.map(lambda _: ensure_token(paths.secrets, "gateway").reveal(), range(32)))
    assert len(set(tokens)) == 1


@pytest.mark.parametrize("content", ["", "short", "x" * 32 + " y"])
def test_a_file_that_holds_no_token_is_refused_with_the_remedy(paths: Paths, content: str) -> None:
    (paths.secrets / "gateway").write_text(content)
    with pytest.raises(HomeError, match="holds no token; remove it"):
        ensure_token(paths.secrets, "gateway")


@pytest.mark.parametrize("name", ["", "../gateway", "a/b", ".hidden", "A", "a\n"])
def test_a_token_cannot_be_made_outside_its_directory(paths: Paths, name: str) -> None:
    with pytest.raises(ValueError, match="no name of a token"):
        ensure_token(paths.secrets, name)
    assert list(paths.secrets.iterdir()) == []
