from __future__ import annotations

import gzip
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.data_harvesting.fetching.body_decoder import BodyDecoder, BodyTooLarge, BrokenEncoding


def decode(encoding: str, data: bytes, limit: int = 1_000_000, *, cut: bool = False, chunk: int = 1000) -> bytes:
    decoder = BodyDecoder(encoding, limit, cut=cut)
    for start in range(0, len(data), chunk):
        decoder.feed(data[start : start + chunk])
        while decoder.pending:
            decoder.step()
        if decoder.full:
            break
    return decoder.finish()


def raw_deflate(data: bytes) -> bytes:
    squeeze = zlib.compressobj(wbits=-15)
    return squeeze.compress(data) + squeeze.flush()


@settings(max_examples=60)
@given(st.binary(max_size=5000), st.integers(1, 700))
def test_what_was_encoded_comes_out_whole_however_it_arrives(body: bytes, chunk: int) -> None:
    forms = [("", body), ("identity", body), ("gzip", gzip.compress(body)), ("x-gzip", gzip.compress(body))]
    forms += [("deflate", zlib.compress(body)), ("deflate", raw_deflate(body))]
    for encoding, data in forms:
        assert decode(encoding, data, chunk=chunk) == body


def test_gzip_in_several_members_is_one_body() -> None:
    assert decode("gzip", gzip.compress(b"a") + gzip.compress(b"b") + b"\0\0") == b"ab"


def test_a_bomb_never_unfolds() -> None:
    bomb = gzip.compress(b"\0" * 20_000_000, 1)
    decoder = BodyDecoder("gzip", 1_000_000)
    decoder.feed(bomb)
    with pytest.raises(BodyTooLarge):  # noqa: PT012 - in which of the steps is not said
        while decoder.pending:
            decoder.step()
    assert sum(len(part) for part in decoder._parts) <= 1_000_000


def test_a_body_that_fills_its_limit_exactly_is_taken() -> None:
    assert decode("gzip", gzip.compress(b"x" * 1000), 1000) == b"x" * 1000
    with pytest.raises(BodyTooLarge):
        decode("gzip", gzip.compress(b"x" * 1001), 1000)
    with pytest.raises(BodyTooLarge):
        decode("", b"x" * 1001, 1000)


def test_a_body_that_may_be_cut_is() -> None:
    assert decode("", b"x" * 5000, 1234, cut=True) == b"x" * 1234
    assert decode("gzip", gzip.compress(b"x" * 5000), 1234, cut=True) == b"x" * 1234


@pytest.mark.parametrize("encoding", ["br", "zstd", "gzip, gzip", "compress", "bogus"])
def test_an_encoding_that_was_not_asked_for_is_refused(encoding: str) -> None:
    with pytest.raises(BrokenEncoding):
        BodyDecoder(encoding, 10)


@pytest.mark.parametrize("data", [b"not gzip at all", gzip.compress(b"x" * 5000)[:-9]], ids=["text", "cut short"])
def test_what_is_not_encoded_as_it_says_is_refused(data: bytes) -> None:
    with pytest.raises(BrokenEncoding):
        decode("gzip", data)
