from __future__ import annotations

import re

import pytest
from beancount.core.account import is_valid
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.money.export.account_names import LedgerAccount, beancount_account, ledger_account
from orchestrator.money.validation import ACCOUNT_KINDS

parts = st.from_regex(re.compile(r"[A-Za-z0-9_.@+-]{1,12}"), fullmatch=True)
names = st.builds(
    lambda kind, rest: ":".join((kind, *rest)),
    st.sampled_from(sorted(ACCOUNT_KINDS)),
    st.lists(parts, min_size=1, max_size=3),
)
accounts = st.builds(LedgerAccount, st.sampled_from(["paper", "live"]), st.sampled_from(["posted", "pending"]), names)


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("income:api_services:api_services-001", "Income:Paper:Api-services:Api-services--001"),
        ("cost:fee:crypto_arbitrage:crypto_arbitrage-020", "Expenses:Paper:Fee:Crypto-arbitrage:Crypto-arbitrage--020"),
        ("asset:clearing:network.acme", "Assets:Paper:Clearing:Network---2Eacme"),
        ("asset:venue:kraken:BTC", "Assets:Paper:Venue:Kraken:X---00BTC"),
        ("liability:x_-y", "Liabilities:Paper:X---5F---2Dy"),
        ("equity:-", "Equity:Paper:X---00---2D"),
    ],
)
def test_accounts_are_readable_in_beancount(name: str, written: str) -> None:
    assert beancount_account("paper", "posted", name) == written


def test_what_is_pending_has_accounts_of_its_own() -> None:
    assert beancount_account("live", "pending", "income:a") == "Income:Live-pending:A"


@given(accounts)
def test_every_account_is_one_of_beancounts_and_comes_back_as_it_was(account: LedgerAccount) -> None:
    written = beancount_account(account.book, account.state, account.name)
    assert is_valid(written)
    assert ledger_account(written) == account


@given(accounts, accounts)
def test_no_two_accounts_become_the_same(one: LedgerAccount, other: LedgerAccount) -> None:
    written = {beancount_account(account.book, account.state, account.name) for account in (one, other)}
    assert len(written) == len({one, other})


@pytest.mark.parametrize("written", ["Income:Paper:api", "Income:Paper:A---5Fb", "Expenses:Paper:X---00a"])
def test_an_account_of_someone_elses_is_refused(written: str) -> None:
    with pytest.raises(ValueError, match="is no account of a ledger"):
        ledger_account(written)
