"""What an utterance is about as a whole, learned from a few examples."""

from __future__ import annotations

import numpy as np
import pytest

from ivr.understanding.topics import Examples, Topics

EXAMPLES = {
    "haircut": Examples(["理发", "剪头发"], ["头发长得遮住眼睛了", "胡子拉碴的没人给刮"]),
    "laundry": Examples(["洗衣服"], ["被子太重我搓不动", "床单好久没换洗了"]),
}
TALK = ["今天天气好", "孙子考上大学了", "头发理过了", "被子晒在外面"]


@pytest.fixture(scope="module")
def topics() -> Topics:
    return Topics(EXAMPLES, ["我要", "帮我"], TALK)


def about(topics: Topics, text: str) -> str:
    """The likeliest label, or nothing where talk is likelier."""
    told = topics.of(text)
    return topics.labels[int(told.argmax())] if told.max() > 0 else ""


def test_a_need_is_told_by_its_story(topics: Topics) -> None:
    assert about(topics, "头发遮住眼睛了难受") == "haircut"
    assert about(topics, "床单太重我洗不动") == "laundry"
    assert about(topics, "孙子今天考大学") == ""


def test_what_was_never_heard_says_nothing_of_itself(topics: Topics) -> None:
    assert np.array_equal(topics.of("鹦鹉"), topics.of(""))


def test_it_learns_the_same_each_time(topics: Topics) -> None:
    again = Topics(EXAMPLES, ["我要", "帮我"], TALK)
    assert np.array_equal(topics.of("头发长了"), again.of("头发长了"))


def test_many_phrases_count_no_more_than_few() -> None:
    many = Examples([f"洗{what}" for what in "衣裤袜帽被单毯巾"], EXAMPLES["laundry"].stories)
    topics = Topics({**EXAMPLES, "laundry": many}, [], TALK)
    assert about(topics, "胡子没人刮") == "haircut"


def test_words_beside_a_need_sound_like_an_order_or_like_talk(topics: Topics) -> None:
    assert topics.beside("我要理发", {2, 3}) > topics.beside("孙子理发", {2, 3})
