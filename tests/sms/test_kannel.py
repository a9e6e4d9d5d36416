from __future__ import annotations

import signal
from collections import Counter

from kannel import OURS, wait_until
from people import written_forms
from sms_site import Site

from store.models import OrderStatus, SmsPurpose, SmsState


def test_elder_is_asked_by_message_and_answers(site: Site) -> None:
    phone = "13100000001"
    order = site.people.ask(phone, "王阿婆")
    wait_until(lambda: site.arrived(phone), "it is delivered")
    [asked] = site.people.out(phone)
    shown = site.handsets.shown(phone)
    assert "".join(one.text for one in shown) == asked.text
    assert len(shown) == asked.parts
    site.handsets.write(phone, "５分！")
    wait_until(lambda: site.people.scores(order) == {order: 5}, "it is rated")
    assert site.people.order(order).status is OrderStatus.CLOSED
    wait_until(lambda: len(site.handsets.shown(phone)) > len(shown), "the answer is there")
    answer = site.handsets.shown(phone)[-1]
    assert answer.sender == OURS
    assert answer.text == "【一呼】谢谢！王阿婆：11月22日的助浴，已记下5分。"


def test_what_is_written_in_every_way_is_a_rating(site: Site) -> None:
    """The test sentences of all dialects, in over the air as an elder's telephone sends them."""
    forms = [(text, int(code)) for code, text in written_forms() if code in "12345"]
    assert len(forms) >= 40
    phones = [f"132{number:08}" for number in range(len(forms))]
    orders = {
        site.people.ask(phone): score for phone, (_, score) in zip(phones, forms, strict=True)
    }
    wait_until(lambda: site.arrived("132"), "all are asked")
    for phone, (text, _) in zip(phones, forms, strict=True):
        site.handsets.write(phone, text)
    wait_until(lambda: len(site.people.scores(*orders)) == len(forms), "all are rated")
    assert site.people.scores(*orders) == orders
    bad = {id for id, score in orders.items() if score <= 2}
    assert {row.order_id for row in site.people.complaints(*orders)} == bad
    assert {site.people.order(id).status for id in bad} == {OrderStatus.FOLLOWED_UP}
    wait_until(lambda: site.arrived("132"), "all are answered")


def test_nothing_is_lost_or_sent_twice_while_kannel_is_down(site: Site) -> None:
    site.kannel.stop()
    orders = [site.people.ask(f"133{number:08}") for number in range(20)]
    wait_until(lambda: any("not there" in row.detail for row in site.people.out("133")), "a try")
    site.kannel.start()
    site.handsets.switch_on()
    wait_until(lambda: site.arrived("133"), "all are delivered")
    site.kannel.stop()
    site.kannel.start()
    site.handsets.write("13300000003", "5")
    wait_until(lambda: bool(site.people.scores(orders[3])), "it is rated")
    wait_until(lambda: site.arrived("133"), "the answer is delivered")
    texts = [row.text for row in site.people.out("133")]
    assert len(texts) == 21
    assert sorted(one.text for one in site.handsets.shown("133")) == sorted(texts)


def test_answer_waits_in_kannel_while_we_are_down(site: Site) -> None:
    phone = "13400000001"
    order = site.people.ask(phone)
    wait_until(lambda: site.arrived(phone), "it is delivered")
    site.stop(signal.SIGKILL)
    site.handsets.write(phone, "2，地没拖干净")
    site.start()
    wait_until(lambda: site.people.scores(order) == {order: 2}, "it is rated")
    [complaint] = site.people.complaints(order)
    assert (complaint.score, complaint.said) == (2, "2，地没拖干净")
    assert site.people.order(order).status is OrderStatus.FOLLOWED_UP


def test_who_is_killed_while_sending_sends_nothing_twice(site: Site) -> None:
    phones = {f"135{number:08}" for number in range(60)}
    for phone in phones:
        site.people.ask(phone)
    for killed_after in (5, 30):
        wait_until(lambda n=killed_after: len(site.handsets.shown("135")) >= n, "some are sent")  # type: ignore[misc]
        site.stop(signal.SIGKILL)
        site.start()
    ended = (SmsState.DELIVERED, SmsState.SENDING, SmsState.UNCERTAIN)
    wait_until(lambda: len(site.people.out("135", ended)) == 60, "nothing waits to be sent")
    unknown = {row.phone for row in site.people.out("135", ended[1:])}
    shown = Counter(one.phone for one in site.handsets.shown("135"))
    assert set(shown.values()) == {1}
    assert phones - set(shown) <= unknown  # what did not arrive is told as unknown, never as sent


def test_what_nobody_knows_of_is_not_sent_again_and_settled_by_its_report(site: Site) -> None:
    phone = "13900000001"
    site.kannel.freeze()
    try:
        site.people.ask(phone)
        unknown = (SmsState.UNCERTAIN,)
        wait_until(lambda: bool(site.people.out(phone, unknown)), "Kannel has not answered")
    finally:
        site.kannel.thaw()
    wait_until(lambda: site.arrived(phone), "Kannel tells that it had it")
    assert len(site.handsets.shown(phone)) == 1
    assert site.kannel.asked_to_send(phone) == [phone]


def test_family_that_shares_a_number_is_asked_for_each_elder(site: Site) -> None:
    phone = "13600000001"
    first, second = site.people.ask(phone, "王阿婆"), site.people.ask(phone, "李阿公")
    wait_until(lambda: site.arrived(phone), "both are asked")
    site.handsets.write(phone, "4")
    wait_until(lambda: bool(site.people.scores(second)), "the latest is rated")
    wait_until(lambda: site.arrived(phone), "it is answered")
    assert site.handsets.shown(phone)[-1].text.endswith("王阿婆：11月22日的助浴，也请回1到5。")
    site.handsets.write(phone, "不满意")
    wait_until(lambda: bool(site.people.scores(first)), "the other is rated")
    assert site.people.scores(first, second) == {first: 1, second: 4}


def test_who_wants_no_messages_is_told_so_and_gets_none(site: Site) -> None:
    phone = "13700000001"
    site.handsets.write(phone, "TD")
    wait_until(lambda: bool(site.handsets.shown(phone)), "it is confirmed")
    assert "不再给您发短信" in site.handsets.shown(phone)[0].text
    site.people.ask(phone)
    assert [row.purpose for row in site.people.out(phone)] == [SmsPurpose.REPLY]


def test_power_cut_of_kannel_loses_nothing_and_we_hand_each_over_once(site: Site) -> None:
    """What Kannel had taken it keeps on its disk; whether it sends one of those twice after a power
    cut is its own affair, so what counts here is what it was asked for."""
    phones = [f"138{number:08}" for number in range(60)]
    for phone in phones:
        site.people.ask(phone)
    wait_until(lambda: len(site.handsets.shown("138")) >= 10, "some are sent")
    site.kannel.stop(signal.SIGKILL)
    site.kannel.start()
    site.handsets.switch_on()
    ended = (SmsState.DELIVERED, SmsState.SENT, SmsState.UNCERTAIN)
    wait_until(lambda: len(site.people.out("138", ended)) == 60, "nothing waits to be sent")
    taken = {row.phone for row in site.people.out("138", ended[:2])}
    wait_until(lambda: taken <= {one.phone for one in site.handsets.shown("138")}, "all are shown")
    asked = Counter(site.kannel.asked_to_send("138"))
    assert set(asked.values()) == {1}
    assert taken <= set(asked)
