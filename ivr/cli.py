"""The command line: `yihu COMMAND`."""

from __future__ import annotations

import importlib
import sys

import structlog
import typer

from ivr.config import ConfigError

COMMANDS = (
    "api_key",
    "asterisk",
    "bench",
    "call",
    "callbacks",
    "calls",
    "elders",
    "evaluate",
    "followups",
    "grammar",
    "greetings",
    "models",
    "operator",
    "orders",
    "outreach",
    "providers",
    "say",
    "service",
    "sms",
    "standing",
    "store",
    "test",
    "understand",
)
"""Modules of ivr.commands; each has `add_to(app)`."""

app = typer.Typer(
    name="yihu",
    help="One call and the service comes: an offline telephone agent for elders, on Asterisk.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
for command in COMMANDS:
    importlib.import_module(f"ivr.commands.{command}").add_to(app)


def main() -> None:
    # Standard output is for what was asked; with --json it is one document and nothing else.
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    try:
        app()
    except ConfigError as error:
        print(f"yihu: {error}", file=sys.stderr)
        sys.exit(2)
