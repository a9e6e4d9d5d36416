"""The API described in OpenAPI 3.1, made of the operations and their documents."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from ivr.api.documents import Failure
from ivr.api.gate import Operation
from ivr.console.texts import Texts

VERSION = "1.0.0"
REFERENCE = "#/components/schemas/{model}"
FAILURES = {
    400: "Something is wrong in what was sent.",
    401: "No valid key.",
    404: "There is none, or it is not for this key.",
    503: "The database cannot be used at the moment: ask again.",
}
"""Of every operation."""


def describe(operations: Iterable[Operation], texts: Texts, language: str) -> dict[str, Any]:
    """With the summaries in a language of the console."""
    operations = tuple(operations)
    paths: dict[str, dict[str, Any]] = {}
    for one in operations:
        summary = texts.say(language, f"api.op.{one.name}")
        paths.setdefault(f"/api/v1{one.path}", {})[one.method.lower()] = _operation(one, summary)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": texts.say(language, "api.title"),
            "version": VERSION,
            "description": texts.say(language, "api.about"),
        },
        "security": [{"key": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
            "schemas": _schemas(operations),
        },
    }


def _operation(one: Operation, summary: str) -> dict[str, Any]:
    failures = dict(FAILURES)
    if one.centre:
        failures[403] = "Not for a provider's key."
    if one.method == "POST":
        failures[409] = "The order cannot take this step, or has changed meanwhile."
    document: dict[str, Any] = {
        "operationId": one.name,
        "summary": summary,
        "x-centre-only": one.centre,
        "responses": {
            str(one.status): {"description": "Done.", "content": _content(one.answer)},
            **{
                str(status): {"description": why, "content": _content(Failure)}
                for status, why in sorted(failures.items())
            },
        },
    }
    parameters = []
    if "{id}" in one.path:
        schema = {"type": "integer", "minimum": 1}
        parameters.append({"name": "id", "in": "path", "required": True, "schema": schema})
    if one.asks is not None and one.method == "GET":
        parameters += _query(one.asks)
    elif one.asks is not None:
        required = any(field.is_required() for field in one.asks.model_fields.values())
        document["requestBody"] = {"required": required, "content": _content(one.asks)}
    if parameters:
        document["parameters"] = parameters
    return document


def _content(model: type[BaseModel]) -> dict[str, Any]:
    return {"application/json": {"schema": {"$ref": REFERENCE.format(model=model.__name__)}}}


def _query(model: type[BaseModel]) -> list[dict[str, Any]]:
    schema = model.model_json_schema(ref_template=REFERENCE)
    return [
        {
            "name": name,
            "in": "query",
            "required": False,
            "schema": {k: v for k, v in field.items() if k not in ("title", "description")},
            "description": field.get("description", ""),
        }
        for name, field in schema["properties"].items()
    ]


def _schemas(operations: Iterable[Operation]) -> dict[str, Any]:
    models: dict[type[BaseModel], JsonSchemaMode] = {Failure: "serialization"}
    for one in operations:
        models[one.answer] = "serialization"
        if one.asks is not None:
            models[one.asks] = "validation"
    _, definitions = models_json_schema(list(models.items()), ref_template=REFERENCE)
    schemas: dict[str, Any] = definitions["$defs"]
    return schemas
