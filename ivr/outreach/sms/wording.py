"""What we write. Pure. For elders: short, plain, one wish a message, who writes it first."""

from __future__ import annotations

from datetime import date


def rating_request(*, elder_name: str, service: str, day: date, site: str) -> str:
    """Asks how a service was; who reads it may be another of the family, so it names the elder."""
    return (
        f"【{site}】{_whose(elder_name)}{day.month}月{day.day}日的{service}，您满意吗？"
        "请回复1到5的数字，5最满意。不想收短信请回TD"
    )


def about(elder_name: str, service: str, day: date) -> str:
    """Names a service in an answer."""
    return f"{_whose(elder_name)}{day.month}月{day.day}日的{service}"


def _whose(elder_name: str) -> str:
    return f"{elder_name}：" if elder_name else ""


class Answers:
    """What we write to those who have written to us."""

    def __init__(self, site: str, phone: str) -> None:
        """`phone`: the number that people are told to call; empty if there is none."""
        self._head = f"【{site}】"
        self._call = f"请打{phone}" if phone else "请打我们的服务电话"

    def thanks(self, what: str, score: int, following: str) -> str:
        return f"{self._head}谢谢！{what}，已记下{score}分。{self._also(following)}"

    def sorry(self, what: str, score: int, told_why: bool, following: str) -> str:
        why = "您说的" if told_why else "哪里不好，请回短信告诉我们。"
        passed = "已转告主管，会尽快联系您。" if told_why else "主管会尽快联系您。"
        return (
            f"{self._head}对不起，{what}没让您满意，已记下{score}分。"
            f"{why}{passed}{self._also(following)}"
        )

    def changed(self, what: str, score: int, following: str) -> str:
        return f"{self._head}好的，{what}，已改为{score}分。{self._also(following)}"

    def known(self, what: str, score: int) -> str:
        return f"{self._head}{what}，我们已经记下{score}分，谢谢！"

    def passed_on(self) -> str:
        return f"{self._head}您说的已转告主管，会尽快联系您。急事{self._call}。"

    def ask_again(self, what: str) -> str:
        return f"{self._head}没看懂您的意思。{what}，请只回一个数字：5最满意，1最不满意。"

    def nothing_open(self) -> str:
        return f"{self._head}收到了。要服务或有事，{self._call}，有人接听。"

    def stopped(self) -> str:
        return f"{self._head}好的，不再给您发短信。要服务仍可打电话。想恢复请回“恢复”。"

    def started(self) -> str:
        return f"{self._head}好的，已恢复给您发短信。"

    def help_comes(self) -> str:
        return f"{self._head}看到您在求助，正在联系您。紧急请马上打120，或{self._call[1:]}。"

    def _also(self, following: str) -> str:
        return f"{following}，也请回1到5。" if following else ""
