"""The manager connection against a far end that misbehaves; the real one is in tests/telephony."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from ivr.telephony import ami as module
from ivr.telephony.ami import Ami, AmiError

Answer = Callable[[dict[str, str]], str | None]
GREETING = b"Asterisk Call Manager/9.0.0\r\n"
TIMEOUT_S = 10.0


class Manager:
    """A far end: answers each action as told, and can drop its connections."""

    def __init__(self, answer: Answer, greeting: bytes) -> None:
        self.answer = answer
        self.greeting = greeting
        self.actions: list[dict[str, str]] = []
        self.writers: list[asyncio.StreamWriter] = []
        self.connections = 0
        self.port = 0
        self._changed = asyncio.Condition()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writers.append(writer)
        self.connections += 1
        writer.write(self.greeting)
        while packet := await self._packet(reader):
            self.actions.append(packet)
            async with self._changed:
                self._changed.notify_all()
            said = self.answer(packet)
            if said is not None:
                writer.write(f"{said}ActionID: {packet['ActionID']}\r\n\r\n".encode())
        writer.close()

    async def seen(self, action: str, count: int, connection: int = 1) -> None:
        """Returns once so many of these actions have come, and so many connections."""

        def enough() -> bool:
            names = [packet["Action"] for packet in self.actions]
            return names.count(action) >= count and self.connections >= connection

        async with self._changed, asyncio.timeout(TIMEOUT_S):
            await self._changed.wait_for(enough)

    async def _packet(self, reader: asyncio.StreamReader) -> dict[str, str]:
        try:
            raw = await reader.readuntil(b"\r\n\r\n")
        except (asyncio.IncompleteReadError, ConnectionError):
            return {}
        lines = raw.decode().strip().split("\r\n")
        return dict(line.split(": ", 1) for line in lines)

    def cut(self) -> None:
        for writer in self.writers:
            writer.transport.abort()
        self.writers.clear()

    def tell(self, event: str) -> None:
        self.writers[-1].write(f"Event: {event}\r\n\r\n".encode())


def agree(packet: dict[str, str]) -> str | None:
    return "Response: Success\r\n"


@asynccontextmanager
async def manager(answer: Answer = agree, greeting: bytes = GREETING) -> AsyncIterator[Manager]:
    made = Manager(answer, greeting)
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        server.close()
        made.cut()
        await server.wait_closed()


def client(far: Manager) -> Ami:
    return Ami("127.0.0.1", far.port, "yihu", "secret")


async def soon(awaitable: Awaitable[object]) -> object:
    return await asyncio.wait_for(awaitable, TIMEOUT_S)


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BACKOFF_FIRST_SECONDS", 0.01)
    monkeypatch.setattr(module, "CONNECT_SECONDS", 0.5)


async def test_event_after_an_empty_line_too_many_is_not_lost() -> None:
    async with manager() as far, client(far) as ami:
        await ami.wait_connected(TIMEOUT_S)
        with ami.events("Hangup") as events:
            far.tell("TestEvent\r\nState: DTMF\r\n")
            far.tell("Hangup\r\nNumber: 1")
            event = await asyncio.wait_for(anext(events), TIMEOUT_S)
    assert event["Number"] == "1"


async def test_connection_that_was_cut_comes_back_and_events_go_on() -> None:
    async with manager() as far, client(far) as ami:
        with ami.events("Hangup") as events:
            for number in "12":
                await far.seen("Login", int(number), int(number))
                await ami.wait_connected(TIMEOUT_S)
                far.tell(f"Dial\r\nNumber: {number}")
                far.tell(f"Hangup\r\nNumber: {number}")
                event = await asyncio.wait_for(anext(events), TIMEOUT_S)
                assert (event["Event"], event["Number"]) == ("Hangup", number)
                far.cut()


async def test_whoever_hears_of_a_new_connection_may_act_at_once() -> None:
    def booted(packet: dict[str, str]) -> str:
        early = "Event: FullyBooted\r\n\r\n" if packet["Action"] == "Login" else ""
        return f"{early}{agree(packet)}"

    async with manager(booted) as far:
        ami = client(far)
        with ami.events("FullyBooted") as events:
            async with ami:
                await asyncio.wait_for(anext(events), TIMEOUT_S)
                assert (await ami.action("Ping"))["Response"] == "Success"


async def test_action_in_flight_fails_when_the_connection_is_cut() -> None:
    def silent(packet: dict[str, str]) -> str | None:
        return agree(packet) if packet["Action"] == "Login" else None

    async with manager(silent) as far, client(far) as ami:
        await ami.wait_connected(TIMEOUT_S)
        action = asyncio.create_task(ami.action("Ping"))
        await far.seen("Ping", 1)
        far.cut()
        with pytest.raises(AmiError, match="lost"):
            await soon(action)


async def test_action_without_answer_gives_up() -> None:
    def silent(packet: dict[str, str]) -> str | None:
        return agree(packet) if packet["Action"] == "Login" else None

    async with manager(silent) as far, client(far) as ami:
        await ami.wait_connected(TIMEOUT_S)
        with pytest.raises(AmiError, match="no answer"):
            await ami.action("Ping", timeout_s=0.1)


async def test_idle_connection_is_kept_and_a_frozen_one_is_given_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "PING_SECONDS", 0.05)
    frozen = False

    def answer(packet: dict[str, str]) -> str | None:
        return None if frozen and packet["Action"] == "Ping" else agree(packet)

    async with manager(answer) as far, client(far) as ami:
        await ami.wait_connected(TIMEOUT_S)
        await far.seen("Ping", 3)
        assert far.connections == 1
        frozen = True
        await far.seen("Login", 2, connection=2)


async def test_wrong_password_is_told() -> None:
    def refuse(packet: dict[str, str]) -> str | None:
        return "Response: Error\r\nMessage: Authentication failed\r\n"

    async with manager(refuse) as far, client(far) as ami:
        with pytest.raises(AmiError, match="Authentication failed"):
            await ami.wait_connected(0.5)
        with pytest.raises(AmiError):
            await ami.action("Ping")


async def test_something_else_on_the_port_is_told() -> None:
    async with manager(greeting=b"HTTP/1.1 400 Bad Request\r\n\r\n") as far, client(far) as ami:
        with pytest.raises(AmiError, match="not Asterisk"):
            await ami.wait_connected(0.5)


async def test_value_with_a_line_break_is_no_second_action() -> None:
    async with manager() as far, client(far) as ami:
        await ami.wait_connected(TIMEOUT_S)
        with pytest.raises(ValueError, match="line break"):
            await ami.action("Originate", CallerID="1\r\n\r\nAction: Command")
        with pytest.raises(ValueError, match="line break"):
            await ami.action("Originate", variables={"NAME": "x\nAction: Command"})
        assert [packet["Action"] for packet in far.actions] == ["Login"]


async def test_reader_that_lags_is_told_that_it_lost_events(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "EVENTS_KEPT", 3)
    async with manager() as far, client(far) as ami:
        await ami.wait_connected(TIMEOUT_S)
        with ami.events("Last") as last, ami.events("Dial") as lagging:
            for _ in range(5):
                far.tell("Dial")
            far.tell("Last")
            await soon(anext(last))
            with pytest.raises(AmiError, match="faster"):
                await anext(lagging)


async def test_leaving_while_it_connects_leaves_nothing() -> None:
    async with manager() as far:
        before = asyncio.all_tasks()
        async with client(far):
            pass
        assert {task for task in asyncio.all_tasks() - before if task.get_name() == "ami"} == set()
