"""Settings of a site: defaults, then yihu.toml, then YIHU_* variables (YIHU_SIP__PORT=5070)."""

from __future__ import annotations

import os
import re
import secrets
import tomllib
from datetime import time
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import (
    BaseModel,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

ROOT = Path(__file__).resolve().parent.parent
"""The checkout: grammars/, dialplans/ and asterisk/ are read from it."""


def _xdg(variable: str, fallback: str) -> Path:
    return Path(os.environ.get(variable) or Path.home() / fallback) / "yihu"


def config_file() -> Path:
    """Where the settings file is read from; it need not exist."""
    named = os.environ.get("YIHU_CONFIG")
    return Path(named) if named else _xdg("XDG_CONFIG_HOME", ".config") / "yihu.toml"


class SipSettings(BaseModel):
    host: str = "127.0.0.1"
    """Address Asterisk listens on for SIP and RTP."""
    port: int = 5060
    rtp_start: int = 10000
    rtp_end: int = 10999
    trunks: list[str] = ["127.0.0.1"]
    """Addresses or networks whose calls are taken as callers (the gateway or provider)."""
    anonymous: bool = False
    """Whether calls from any other address are taken as callers too."""


class AsteriskSettings(BaseModel):
    root: Path | None = None
    """Folder of a debootstrapped system to chroot into; None: see asterisk/install.sh."""
    ami_port: int = 5038
    operators: list[str] = ["PJSIP/operator"]
    """Static members of the operators' queue, as Asterisk dial strings."""
    queue_log: Path | None = None
    """Asterisk's own record of its queues; to be set for an Asterisk of your own only."""


class AgentSettings(BaseModel):
    host: str = "127.0.0.1"
    audiosocket_port: int = 9092
    http_port: int = 8088
    max_calls: int = 30
    """Calls the agent never takes more of at once; further ones are admitted to the queue."""
    slow_ms: int = Field(default=900, ge=100)
    """How long an utterance may take in the recogniser, waiting included: where it takes longer,
    fewer calls are admitted."""
    drain_s: int = Field(default=180, ge=0)
    """When the agent or the whole site is stopped, calls get so long to end by themselves; new
    ones go to the operators' queue meanwhile."""


class QueueSettings(BaseModel):
    """Waiting for an operator."""

    announce_s: int = Field(default=45, ge=20)
    """How often a caller who waits is told something."""
    longest_wait_s: int = Field(default=900, ge=60)
    """Who has waited for so long is called back instead."""
    waiting_per_operator: int = Field(default=5, ge=0)
    """With so many callers waiting for each operator on duty, further ones whom the agent has no
    free line for are called back at once."""
    listens: bool = True
    """Whether somebody who waits may say 回电 instead of pressing 1. Nothing of what they say is
    kept."""


class EmergencySettings(BaseModel):
    oncall: list[str] = []
    """Telephone numbers that ring with the operators' telephones, night and day. Whoever answers
    there has to press 1."""

    @field_validator("oncall")
    @classmethod
    def _numbers(cls, numbers: list[str]) -> list[str]:
        for number in numbers:
            if not re.fullmatch(r"\+?\d{3,20}", number):
                raise ValueError(f"{number!r} is not a telephone number in digits")
        return numbers


NumberPattern = Annotated[str, Field(pattern=r"^[0-9XZN\[\]-]{3,40}$")]
"""As in Asterisk's dialplan, of a fixed length: X is 0-9, Z 1-9, N 2-9, [13-5] 1, 3, 4 or 5."""


class OutboundSettings(BaseModel):
    """Calls out of the house: who may be called, and how many at once."""

    gateway: str = Field(default="", pattern=r"^([\w.-]+(:\d+)?)?$")
    """Host, or host:port, that calls out are sent to; empty: none are made."""
    prefix: str = Field(default="", pattern=r"^\d{0,6}$")
    """Dialled before every number, where the gateway wants it to get a line."""
    user: str = ""
    """For the gateway, if it asks who calls."""
    password: SecretStr = SecretStr("")
    caller_id: str = Field(default="", pattern=r"^\+?\d*$")
    """The number that the called see, if the gateway lets us choose."""
    numbers: list[NumberPattern] = [
        "1[3-9]XXXXXXXXX",
        "010NXXXXXXX",
        "02XNXXXXXXX",
        "0[3-9]XXNXXXXXX",
        "0[3-9]XXNXXXXXXX",
        "NXXXXXX",
        "NXXXXXXX",
    ]
    """The only numbers that may be called: mobiles and landlines of the country, without those
    that cost extra."""
    max_calls: int = Field(default=4, ge=0)
    """Calls out at once."""
    lines: int = Field(default=0, ge=0)
    """Lines that calls in and out share; 0: as many as are wanted."""
    spare_lines: int = Field(default=2, ge=0)
    """Of these, how many are left free for callers."""


class CallbackSettings(BaseModel):
    hours_from: time = time(8)
    hours_to: time = time(20)
    """In these hours of the site's day people are called back. Who has asked less than
    `awake_minutes` ago is awake, and is called at any hour."""
    awake_minutes: int = Field(default=30, ge=0)
    after_hangup_s: int = Field(default=15, ge=0)
    """How long somebody who has hung up while waiting is left in peace: they may be dialling
    again."""
    tries: int = Field(default=6, ge=1)
    """So often a number is called before it is given up."""
    retry_first_s: int = Field(default=120, ge=1)
    """Time to the second try; to each further one it is twice as long, up to `retry_most_s`."""
    retry_most_s: int = Field(default=7200, ge=1)
    ring_s: int = Field(default=45, ge=5)
    """How long a telephone is let ring: elders walk slowly."""

    @model_validator(mode="after")
    def _hours(self) -> Self:
        if self.hours_from >= self.hours_to:
            raise ValueError("hours_from is not before hours_to")
        return self


class FollowUpSettings(BaseModel):
    """Calls that we owe after a booking."""

    hours_from: time = time(9)
    hours_to: time = time(19)
    """Outside these hours of the site's day nobody is called by us; an elder's own hours and days
    can only be narrower."""
    days: str = Field(default="1234567", pattern=r"^1?2?3?4?5?6?7?$", min_length=1)
    """Days of the week, Monday is 1."""
    after_minutes: int = Field(default=60, ge=0)
    """How long after a service its elder is asked how it was."""
    tries: int = Field(default=3, ge=1)
    """So often a number is called before it is written to, or given up."""
    apart_minutes: int = Field(default=150, ge=1)
    """So long who was not reached is left in peace; the next try is in another hour of the day too,
    where there is one."""
    busy_minutes: int = Field(default=20, ge=1)
    """The same after a busy line: somebody is at home."""
    soon_minutes: int = Field(default=30, ge=1)
    """The same where it cannot wait for another hour: before a planned service, and when somebody
    is asked how they are."""
    greeting_tries: int = Field(default=2, ge=1)
    """An elder alone who does not answer so many times is looked for by an operator."""
    reply_hours: int = Field(default=72, ge=1)
    """How long the answer to a text message is waited for."""
    ring_s: float = Field(default=40, ge=5)
    max_calls: int = Field(default=3, ge=0)
    """Of outbound.max_calls, how many these calls may take."""
    spare_agent: int = Field(default=2, ge=0)
    """None is made unless the agent could take so many callers more."""

    @model_validator(mode="after")
    def _hours(self) -> Self:
        if self.hours_from >= self.hours_to:
            raise ValueError("hours_from is not before hours_to")
        return self


class PlanSettings(BaseModel):
    """Standing orders, and calls about what is planned."""

    days_ahead: int = Field(default=1, ge=1, le=14)
    """Orders are made of standing orders for today and so many days after it."""
    confirm_hours: int = Field(default=3, ge=1)
    """So long before a planned service the elder is called to confirm it."""
    confirm_until_minutes: int = Field(default=60, ge=0)
    """Later than this before it nobody is asked any more: the worker is on the way."""
    evening: time = time(15)
    """Who would have to be called before the calling hours is called from this time on, the day
    before."""
    greeting_minutes: int = Field(default=180, ge=30)
    """So long after its time a greeting is still a greeting."""


class KannelSettings(BaseModel):
    """Kannel's smsbox, which speaks SMPP or drives a modem for us."""

    url: str = Field(default="http://127.0.0.1:13013/cgi-bin/sendsms", pattern=r"^https?://")
    user: str = "yihu"
    password: SecretStr = SecretStr("")
    sender: str = ""
    """The number that the called see, where Kannel lets us choose."""
    timeout_s: float = Field(default=20, gt=0)


class HttpGatewaySettings(BaseModel):
    """Any provider or program that takes messages over HTTP: docs/sms.md."""

    url: str = Field(default="", pattern=r"^(https?://.*)?$")
    secret: SecretStr = SecretStr("")
    """Signs what we ask it and what it tells us."""
    timeout_s: float = Field(default=20, gt=0)
    tolerance_s: int = Field(default=300, ge=1)
    """How far its clock may be off ours; what was signed longer ago is not taken."""


class SmsSettings(BaseModel):
    """Text messages, out of the house and into it."""

    gateway: Literal["", "kannel", "http"] = ""
    """Empty: none are sent, and what is to be sent waits."""
    kannel: KannelSettings = KannelSettings()
    http: HttpGatewaySettings = HttpGatewaySettings()
    site: str = Field(default="一呼", min_length=1, max_length=16)
    """Who writes, in brackets before every message."""
    phone: str = Field(default="", pattern=r"^[\d-]*$")
    """The number that people are told to call."""
    hours_from: time = time(8, 30)
    hours_to: time = time(20)
    """In these hours of the site's day elders are written to. Answers and orders go at any hour."""
    listen_host: str = "127.0.0.1"
    """Where the gateway tells us what came in; another address for a gateway on another machine."""
    listen_port: int = 8092
    listen_url: str = Field(default="", pattern=r"^(https?://.*[^/])?$")
    """The same as the gateway sees it, such as https://yihu.example.org; empty: as above."""
    at_once: int = Field(default=4, ge=1)
    """Messages handed over at the same time."""
    tries: int = Field(default=6, ge=1)
    """So often a message is handed over that the gateway does not take."""
    retry_first_s: float = Field(default=15, gt=0)
    """Time to the second try; to each further one it is twice as long, up to `retry_most_s`."""
    retry_most_s: float = Field(default=900, gt=0)
    late_hours: int = Field(default=48, ge=1)
    """What could not be sent for so long is of no use any more."""

    @property
    def ours(self) -> str:
        host = "127.0.0.1" if self.listen_host == "0.0.0.0" else self.listen_host
        return self.listen_url or f"http://{host}:{self.listen_port}"

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.hours_from >= self.hours_to:
            raise ValueError("hours_from is not before hours_to")
        if self.gateway == "http" and not (self.http.url and self.http.secret.get_secret_value()):
            raise ValueError("the gateway http needs http.url and http.secret")
        return self


class ConsoleSettings(BaseModel):
    host: str = "127.0.0.1"
    """Address the operators' pages are on; 0.0.0.0 for other machines of the office."""
    port: int = 8090
    certificate: Path | None = None
    """PEM file; with it and `key` the pages are on HTTPS. Other machines should have no less."""
    key: Path | None = None
    session_hours: int = Field(default=12, ge=1)
    """A log-in lasts a shift."""
    idle_minutes: int = Field(default=60, ge=1)
    """It ends sooner for somebody who is off duty and does nothing."""

    @property
    def url(self) -> str:
        host = "127.0.0.1" if self.host == "0.0.0.0" else self.host
        return f"{'https' if self.certificate else 'http'}://{host}:{self.port}"


class MonitoringSettings(BaseModel):
    """Where /healthz, /readyz and /metrics are; the agent has its own at agent.http_port."""

    host: str = "127.0.0.1"
    """Another address lets a Prometheus of another machine in, and everybody else there."""
    outreach_port: int = 8089
    console_port: int = 8091


class EngineSettings(BaseModel):
    engine: Literal["whisper", "vosk", "sherpa-onnx"] = "whisper"
    model: str = "whisper-base"
    """Name in `yihu models list`, or a folder."""
    threads: int = Field(default_factory=lambda: len(os.sched_getaffinity(0)), ge=1)
    """As many as the machine has processors; more only get in each other's way."""
    beam: int = 5


class RecogniserSettings(EngineSettings):
    dialects: dict[str, EngineSettings] = {}
    """Folder name below grammars/ -> the engine for callers who are known to speak that dialect;
    the one above hears them where theirs fails or is late."""
    late_ms: int = Field(default=2000, ge=100)
    """How long the engine of a dialect may take: then the caller has waited long enough."""

    @property
    def dialect_models(self) -> list[str]:
        """Models of the dialects' engines, by name or folder."""
        return list(dict.fromkeys(engine.model for engine in self.dialects.values()))


class SynthesiserSettings(BaseModel):
    engine: Literal["kokoro", "pyttsx3"] = "kokoro"
    voice: str = "zf_xiaoxiao"
    speed: float = Field(default=0.85, gt=0.4, lt=1.6)
    threads: int = 2


class RecordingSettings(BaseModel):
    turns_days: int = Field(default=7, ge=0)
    """How long the sound of what a caller said to the agent before a human took over is kept, for
    that human to listen to; 0: not at all. Of other calls none is kept."""
    calls: bool = False
    """Whether whole calls are recorded; callers are told at the beginning."""
    calls_days: int = Field(default=30, ge=0)
    """How long such recordings are kept."""
    transcripts_days: int = Field(default=365, ge=1)
    """How long it is kept what was said in calls and written in messages; that there were some,
    and what came of them, stays."""
    notes_days: int = Field(default=90, ge=1)
    """How long voice notes are kept, of addresses and of what was wrong; not before the order is
    done or the complaint closed."""


class TurnSettings(BaseModel):
    end_silence_ms: int = 700
    """Silence that ends the caller's turn."""
    unfinished_silence_ms: int = 1200
    """The same after a phrase that is not finished (我想, 那个)."""
    speculate_ms: int = 280
    """Silence after which recognition starts on the chance that the turn is over."""
    preroll_ms: int = 400
    """Sound kept from before the first detected speech."""
    answer_timeout_ms: int = 8000
    """Silence after a question that counts as no answer."""
    max_turn_ms: int = 30000


class Settings(BaseSettings):
    model_config = SettingsConfigDict(
        env_prefix="YIHU_",
        env_nested_delimiter="__",
        extra="forbid",
        nested_model_default_partial_update=True,
    )

    data_dir: Path = Field(default_factory=lambda: _xdg("XDG_DATA_HOME", ".local/share"))
    """Store, recordings, secrets, running state; one folder a site."""
    models_dir: Path | None = None
    """Recogniser and voice weights; default data_dir/models."""
    cache_dir: Path = Field(default_factory=lambda: _xdg("XDG_CACHE_HOME", ".cache"))
    """Synthesised prompts; may be deleted at any time."""
    database_url: str | None = None
    """SQLAlchemy URL; default SQLite in data_dir."""
    timezone: str = "Asia/Shanghai"
    log_level: str = "info"
    log_format: Literal["text", "json"] = "text"
    """json: a document a line, for programs that collect logs."""
    subsidised_percent: int = Field(default=50, ge=0, le=100)
    """Share of a price that an elder of the subsidised class (补助) pays."""

    sip: SipSettings = SipSettings()
    asterisk: AsteriskSettings = AsteriskSettings()
    agent: AgentSettings = AgentSettings()
    queue: QueueSettings = QueueSettings()
    emergency: EmergencySettings = EmergencySettings()
    outbound: OutboundSettings = OutboundSettings()
    callback: CallbackSettings = CallbackSettings()
    follow_up: FollowUpSettings = FollowUpSettings()
    plan: PlanSettings = PlanSettings()
    sms: SmsSettings = SmsSettings()
    console: ConsoleSettings = ConsoleSettings()
    recogniser: RecogniserSettings = RecogniserSettings()
    synthesiser: SynthesiserSettings = SynthesiserSettings()
    turn: TurnSettings = TurnSettings()
    recording: RecordingSettings = RecordingSettings()
    monitoring: MonitoringSettings = MonitoringSettings()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        toml = TomlConfigSettingsSource(settings_cls, toml_file=config_file())
        return init_settings, env_settings, toml

    @property
    def models(self) -> Path:
        return self.models_dir or self.data_dir / "models"

    @property
    def database(self) -> str:
        return self.database_url or f"sqlite:///{self.data_dir / 'yihu.sqlite3'}"

    @property
    def learned(self) -> Path:
        """What this site has learned of how its callers are heard (`yihu grammar learn`)."""
        return self.data_dir / "learned"

    @property
    def recordings(self) -> Path:
        return self.data_dir / "recordings"

    @property
    def run_dir(self) -> Path:
        """Process ids and logs of what is running."""
        return self.data_dir / "run"

    @cached_property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.timezone)

    @cached_property
    def secrets(self) -> Secrets:
        return load_secrets(self.data_dir / "secrets.toml")


class Secrets(BaseModel):
    """Made once at set-up, readable by the service's user only."""

    http: str
    """Shared by the dialplan and the agent's /asterisk/ endpoints."""
    ami: str
    simulator: str
    """Lets `yihu call` place calls from this machine."""
    operator: str
    """SIP password of the operators' phone."""


def load_secrets(path: Path) -> Secrets:
    """Reads the secrets, making them first if there are none (file mode 0600)."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        lines = [f'{name} = "{secrets.token_urlsafe(24)}"\n' for name in Secrets.model_fields]
        temporary = path.with_name(f"{path.name}.{os.getpid()}")
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
            out.writelines(lines)
        try:
            os.link(temporary, path)  # whoever comes first wins; a second maker reads the first's
        except FileExistsError:
            pass
        finally:
            temporary.unlink()
    with path.open("rb") as file:
        return Secrets(**tomllib.load(file))


class ConfigError(Exception):
    """The settings cannot be used; the message names the setting and the reason."""


def load_settings() -> Settings:
    """Settings of this site.

    Raises ConfigError naming the file and each setting that is wrong.
    """
    try:
        return Settings()
    except ValidationError as error:
        wrong = "; ".join(
            f"{'.'.join(str(part) for part in e['loc'])}: {e['msg']}" for e in error.errors()
        )
        raise ConfigError(f"{config_file()} or YIHU_* variables: {wrong}") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{config_file()} is not valid TOML: {error}") from error
