from __future__ import annotations

import signal
from collections import Counter

from kannel import OURS, wait_until
from sms_site import Site, written_forms

from store.models import OrderStatus, SmsPurpose, SmsState

PHONE = "13812345678"


def test_elder_is_asked_by_message_and_answers(site: Site) -> None:
    order = site.ask(PHONE, "王阿婆")
    wait_until(lambda: site.all_are(SmsState.DELIVERED), "it is delivered")
    [asked] = site.out()
    [*shown] = site.handsets.shown(PHONE)
    assert "".join(one.text for one in shown) == asked.text
    assert len(shown) == asked.parts
    site.handsets.write(PHONE, "５分！")
    wait_until(lambda: order in site.ratings(), "it is rated")
    assert site.ratings()[order].score == 5
    assert site.order(order).status is OrderStatus.CLOSED
    wait_until(lambda: len(site.handsets.shown(PHONE)) > len(shown), "the answer is there")
    answer = site.handsets.shown(PHONE)[-1]
    assert answer.sender == OURS
    assert answer.text == "【一呼】谢谢！王阿婆：11月22日的助浴，已记下5分。"


def test_what_is_written_in_every_way_is_a_rating(site: Site) -> None:
    """The test sentences of all dialects, in over the air as an elder's telephone sends them."""
    forms = [(text, int(code)) for code, text in written_forms() if code in "12345"]
    assert len(forms) >= 40
    orders = {site.ask(f"139{number:08}"): score for number, (_, score) in enumerate(forms)}
    wait_until(lambda: site.all_are(SmsState.DELIVERED), "all are asked")
    for number, (text, _) in enumerate(forms):
        site.handsets.write(f"139{number:08}", text)
    wait_until(lambda: len(site.ratings()) == len(forms), "all are rated")
    assert {id: rating.score for id, rating in site.ratings().items()} == orders
    bad = [id for id, score in orders.items() if score <= 2]
    assert {row.order_id for row in site.complaints()} == set(bad)
    assert {site.order(id).status for id in bad} == {OrderStatus.FOLLOWED_UP}


def test_nothing_is_lost_or_sent_twice_while_kannel_is_down(site: Site) -> None:
    site.kannel.stop()
    orders = [site.ask(f"139{number:08}") for number in range(20)]
    wait_until(lambda: any("not there" in row.detail for row in site.out()), "it is tried")
    site.kannel.start()
    site.handsets.switch_on()
    wait_until(lambda: site.all_are(SmsState.DELIVERED), "all are delivered")
    site.kannel.stop()
    site.kannel.start()
    site.handsets.write("13900000003", "5")
    wait_until(lambda: orders[3] in site.ratings(), "it is rated")
    wait_until(lambda: site.all_are(SmsState.DELIVERED), "the answer is delivered")
    shown = [one.text for one in site.handsets.shown()]
    texts = [row.text for row in site.out()]
    assert len(texts) == 21
    assert sorted(shown) == sorted(texts)


def test_answer_waits_in_kannel_while_we_are_down(site: Site) -> None:
    order = site.ask(PHONE)
    wait_until(lambda: site.all_are(SmsState.DELIVERED), "it is delivered")
    site.stop(signal.SIGKILL)
    site.handsets.write(PHONE, "2，地没拖干净")
    site.start()
    wait_until(lambda: order in site.ratings(), "it is rated")
    [complaint] = site.complaints()
    assert (complaint.score, complaint.said) == (2, "2，地没拖干净")
    assert site.order(order).status is OrderStatus.FOLLOWED_UP


def test_who_is_killed_while_sending_sends_nothing_twice(site: Site) -> None:
    for number in range(60):
        site.ask(f"139{number:08}")
    for killed_after in (5, 20, 40):
        wait_until(lambda n=killed_after: len(site.handsets.shown()) >= n, "some are sent")  # type: ignore[misc]
        site.stop(signal.SIGKILL)
        site.start()
    settled = (SmsState.DELIVERED, SmsState.SENDING, SmsState.UNCERTAIN)
    wait_until(lambda: len(site.out(*settled)) == 60, "nothing waits to be sent")
    wait_until(
        lambda: len(site.handsets.shown()) >= len(site.out(SmsState.DELIVERED)), "all are shown"
    )
    shown = Counter(one.phone for one in site.handsets.shown())
    assert set(shown.values()) == {1}
    missing = {row.phone for row in site.out()} - set(shown)
    unknown = {row.phone for row in site.out(SmsState.SENDING, SmsState.UNCERTAIN)}
    assert missing <= unknown  # what did not arrive is told as unknown, never as sent


def test_family_that_shares_a_number_is_asked_for_each_elder(site: Site) -> None:
    first, second = site.ask(PHONE, "王阿婆"), site.ask(PHONE, "李阿公")
    wait_until(lambda: site.all_are(SmsState.DELIVERED), "both are asked")
    site.handsets.write(PHONE, "4")
    wait_until(lambda: second in site.ratings(), "the latest is rated")
    wait_until(lambda: site.all_are(SmsState.DELIVERED), "it is answered")
    assert site.handsets.shown(PHONE)[-1].text.endswith("王阿婆：11月22日的助浴，也请回1到5。")
    site.handsets.write(PHONE, "不满意")
    wait_until(lambda: first in site.ratings(), "the other is rated")
    assert {id: rating.score for id, rating in site.ratings().items()} == {first: 1, second: 4}


def test_who_wants_no_messages_is_told_so_and_gets_none(site: Site) -> None:
    site.handsets.write(PHONE, "TD")
    wait_until(lambda: bool(site.handsets.shown(PHONE)), "it is confirmed")
    assert "不再给您发短信" in site.handsets.shown(PHONE)[0].text
    site.ask(PHONE)
    assert [row.purpose for row in site.out()] == [SmsPurpose.REPLY]
