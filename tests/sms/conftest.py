"""See sms_site.py."""

from sms_site import site

__all__ = ["site"]
