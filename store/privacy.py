"""Names of people's telephones and homes, shortened for logs."""

from __future__ import annotations

import re

_AREA = re.compile(
    r"(?:.{2,3}?(?:省|自治区))?(?:.{1,4}?(?:[^超]市|州))?(?:.{1,3}?(?:[^小社园景片]区|县|[^超]市))?"
)
_KEPT = 2


def mask_phone(number: str) -> str:
    """13812345678 -> 138****5678, 051265123456 -> 0512****3456; of short ones only the end."""
    if len(number) > 10:
        begin = 4 if number.startswith("0") else 3
        return f"{number[:begin]}****{number[-4:]}"
    return f"****{number[-2:]}" if len(number) > _KEPT else "****"


def mask_address(address: str) -> str:
    """Down to the district, 江苏省苏州市姑苏区****; without one the first two characters."""
    if not address:
        return ""
    area = _AREA.match(address)
    return f"{(area and area.group()) or address[:_KEPT]}****"
