"""Every text of the pages is there, in every language."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ivr.catalog import load_catalog
from ivr.console.duty import REASONS
from ivr.console.reports import CELLS
from ivr.console.screens import TEMPLATES
from ivr.console.texts import LANGUAGES, TextError, load_texts
from ivr.orders.dispatcher import Unfit
from ivr.outreach.next_step import Miss
from ivr.understanding.dialects import dialect_names
from store.audit import Action
from store.models import (
    CallbackState,
    Cause,
    Duty,
    FollowUpEnd,
    FollowUpState,
    OrderEvent,
    OrderStatus,
    Outcome,
    Purpose,
    SmsKind,
    SmsPurpose,
    SmsState,
    SupportClass,
    Wants,
)
from store.reports import By

CODES = {
    "duty": Duty,
    "duty.reason": REASONS,
    "call.outcome": Outcome,
    "callback.cause": Cause,
    "callback.wants": Wants,
    "order.status": OrderStatus,
    "order.event": OrderEvent,
    "dispatch.unfit": Unfit,
    "support": SupportClass,
    "audit.action": Action,
    "callback.state": CallbackState,
    "follow_up.purpose": Purpose,
    "follow_up.state": FollowUpState,
    "follow_up.end": FollowUpEnd,
    "follow_up.detail": Miss,
    "sms.purpose": SmsPurpose,
    "sms.state": SmsState,
    "sms.kind": SmsKind,
    "reports.by": By,
    "reports.divided": By,
    "reports.unknown": By,
    "reports.cell": CELLS,
    "dialect": dialect_names(Path(__file__).parents[3] / "grammars"),
}
"""Section -> the stored codes that are shown with its texts."""


def test_every_text_that_a_template_names_exists() -> None:
    texts = load_texts()
    named = {
        (path.name, key)
        for path in TEMPLATES.glob("*.html")
        for key in re.findall(r"""\bt\(["']([\w.]+)["'][,)]""", path.read_text())
    }
    assert len(named) > 100
    assert [one for one in sorted(named) if one[1] not in texts.keys] == []


@pytest.mark.parametrize("section", CODES)
def test_every_stored_code_has_its_word(section: str) -> None:
    texts = load_texts()
    assert [code for code in CODES[section] if f"{section}.{code}" not in texts.keys] == []


def test_acts_are_named_like_no_service() -> None:
    acts = {key.removeprefix("act.") for key in load_texts().keys if key.startswith("act.")}
    assert acts.isdisjoint(load_catalog())


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("a: {zh: 看板}", "a needs a text in each of zh, en"),
        ("a: {on: {zh: 在岗, en: 'On'}, b: {}}", "a.b holds no texts"),
        ("a: {zh: 1, en: 2}", "a needs a text"),
        ("- a", "holds no texts"),
        ("a: [", "while parsing"),
    ],
)
def test_wrong_file_of_texts_is_named_with_the_reason(
    tmp_path: Path, content: str, reason: str
) -> None:
    (tmp_path / "page.yaml").write_text(content)
    with pytest.raises(TextError, match=f"(?s)page.yaml.*{reason}"):
        load_texts(tmp_path)


def test_languages_differ() -> None:
    texts = load_texts()
    assert {texts.say(language, "duty.on") for language in LANGUAGES} == {"在岗", "On duty"}
