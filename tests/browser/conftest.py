"""A running console and a real Chromium: browser_fixtures.py."""

from browser_fixtures import console, page, watcher

__all__ = ["console", "page", "watcher"]
