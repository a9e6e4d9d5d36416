from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from ivr.catalog import CATALOG, CatalogError, Unit, load_catalog, services, support
from store.models import SupportClass

CODES = {
    *("meal_delivery", "cooking", "cleaning", "window_cleaning", "laundry", "bathing", "haircut"),
    *("pedicure", "errands", "walking_escort", "personal_care", "night_care", "day_care"),
    *("plumbing_repair", "electrical_repair", "appliance_repair", "drain_unblocking"),
    *("hospital_escort", "health_check", "home_nursing", "rehabilitation", "medicine_pickup"),
    *("doctor_consult", "companionship", "counselling", "phone_lessons", "activities"),
    *("elder_advisor", "home_adaptation", "safety_check", "emergency"),
}


def test_every_service_of_the_price_list_can_be_ordered() -> None:
    catalog = load_catalog()
    assert set(catalog) == CODES
    assert len({item.spoken for item in catalog.values()}) == len(catalog)
    assert len({item.short for item in catalog.values()}) == len(catalog)


def test_emergency_costs_nothing_and_asks_nothing() -> None:
    emergency = load_catalog()["emergency"]
    assert (emergency.unit, emergency.price_fen, emergency.ask) == (Unit.NONE, 0, frozenset())


def test_an_hour_costs_35_yuan() -> None:
    bathing = load_catalog()["bathing"]
    assert (bathing.unit, bathing.price_fen) == (Unit.HOUR, 3500)
    assert "time" in bathing.ask


@pytest.mark.parametrize(
    ("support_class", "percent", "pays"),
    [
        (SupportClass.AIDED, 50, 0),
        (SupportClass.SUBSIDISED, 50, 1750),
        (SupportClass.SUBSIDISED, 33, 1155),
        (SupportClass.SUBSIDISED, 0, 0),
        (SupportClass.SELF_PAYING, 50, 3500),
    ],
)
def test_elder_pays_what_the_support_class_leaves(
    support_class: SupportClass, percent: int, pays: int
) -> None:
    assert support(3500, support_class, percent) == pays


def test_fraction_of_a_fen_is_in_the_elders_favour() -> None:
    assert support(3333, SupportClass.SUBSIDISED, 50) == 1666


def test_store_learns_names_and_prices() -> None:
    rows = {row.code: row for row in services(load_catalog())}
    assert (rows["bathing"].name, rows["bathing"].unit) == ("助浴", "hour")
    assert rows["bathing"].price_fen == 3500


def changed(tmp_path: Path, code: str, **fields: object) -> Path:
    """The catalogue with one item changed, or removed when nothing is given."""
    document = yaml.safe_load(CATALOG.read_text(encoding="utf-8"))
    if fields:
        document[code] = {**document.get(code, {}), **fields}
    else:
        del document[code]
    path = tmp_path / "catalog.yaml"
    path.write_text(yaml.safe_dump(document, allow_unicode=True), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("code", "fields", "message"),
    [
        ("bathing", {"price_fen": -1}, "bathing.price_fen"),
        ("bathing", {"price_fen": 35.5}, "bathing.price_fen"),
        ("bathing", {"unit": "week"}, "bathing.unit"),
        ("bathing", {"ask": ["weather"]}, "bathing.ask"),
        ("bathing", {"colour": "red"}, "bathing.colour"),
        ("tea", {"name": "茶"}, "tea.spoken"),
        ("emergency", {}, "'emergency' is missing"),
    ],
)
def test_wrong_entry_is_named(
    tmp_path: Path, code: str, fields: dict[str, object], message: str
) -> None:
    with pytest.raises(CatalogError, match=message):
        load_catalog(changed(tmp_path, code, **fields))


def test_new_service_needs_no_code(tmp_path: Path) -> None:
    tea = {
        "name": "泡茶",
        "spoken": "上门泡茶",
        "short": "泡茶",
        "category": "生活照料",
        "unit": "visit",
        "price_fen": 1000,
        "ask": ["time"],
    }
    assert load_catalog(changed(tmp_path, "tea", **tea))["tea"].spoken == "上门泡茶"


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(CatalogError, match=r"nowhere\.yaml"):
        load_catalog(tmp_path / "nowhere.yaml")
