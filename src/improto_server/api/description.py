"""What the table of endpoints says, for people and for programs: the manual's list, and OpenAPI."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from improto_server.api.endpoints import Mark
from improto_server.api.replies import HTTP_STATUS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from improto_server.api.endpoints import Endpoint
    from improto_server.api.parameters import Parameter

_HEADERS: Final = ("App-Key", "Nonce", "Timestamp", "Signature")
_FORM: Final = "application/x-www-form-urlencoded"
_JSON: Final = "application/json"


def manual(endpoints: Iterable[Endpoint]) -> str:
    """Markdown: a table for each part of the API, in the order of the endpoints."""
    rows: dict[Mark, list[str]] = {mark: [] for mark in Mark}
    for each in endpoints:
        body = ", JSON" if each.is_json else ""
        given = "; ".join(map(_words, each.parameters)) or "none"
        rows[each.mark].append(
            f"| `{each.path}`{body} | {each.about} | {given} | {each.reply or 'nothing'} |\n"
        )
    head = "| call | what it does | parameters | reply |\n| --- | --- | --- | --- |\n"
    return "\n".join(
        f"### {mark.value.capitalize()}\n\n{head}{''.join(lines)}" for mark, lines in rows.items()
    )


def openapi(endpoints: Iterable[Endpoint]) -> dict[str, Any]:
    """An OpenAPI 3.1 document."""
    return {
        "openapi": "3.1.0",
        "info": {"title": "improto server REST API", "version": "1"},
        "paths": {each.url: {"post": _operation(each)} for each in endpoints},
        "components": {
            "securitySchemes": {
                name: {"type": "apiKey", "in": "header", "name": name} for name in _HEADERS
            },
            "responses": {
                str(status): _response(f"refused, with code {codes}", "Error")
                for status, codes in _refusals().items()
            },
            "schemas": {
                "Success": {
                    "type": "object",
                    "properties": {"code": {"const": 200}},
                    "required": ["code"],
                },
                "Error": {
                    "type": "object",
                    "properties": {
                        "code": {"type": "integer"},
                        "errorMessage": {"type": "string", "minLength": 1},
                        "url": {"type": "string"},
                    },
                    "required": ["code", "errorMessage", "url"],
                },
            },
        },
    }


def _words(parameter: Parameter[Any]) -> str:
    star = "\\*" if parameter.is_required else ""
    several = "[]" if parameter.is_list else ""
    return f"`{parameter.name}`{star}{several} {parameter.limit}"


def _operation(endpoint: Endpoint) -> dict[str, Any]:
    schema = {
        "type": "object",
        "properties": {each.name: each.schema for each in endpoint.parameters},
        "required": [each.name for each in endpoint.parameters if each.is_required],
    }
    return {
        "operationId": endpoint.path.strip("/").replace("/", "_"),
        "tags": [endpoint.mark.value],
        "summary": endpoint.about,
        "security": [{name: [] for name in _HEADERS}],
        "requestBody": {"content": {_JSON if endpoint.is_json else _FORM: {"schema": schema}}},
        "responses": {
            "200": _response(endpoint.reply or "nothing but the code", "Success"),
            **{str(status): {"$ref": f"#/components/responses/{status}"} for status in _refusals()},
        },
    }


def _refusals() -> dict[int, str]:
    """What any call can be refused with: the codes of each HTTP status."""
    found: dict[int, list[str]] = {}
    for code, status in HTTP_STATUS.items():
        found.setdefault(status, []).append(str(int(code)))
    return {status: ", ".join(codes) for status, codes in sorted(found.items())}


def _response(words: str, schema: str) -> dict[str, Any]:
    reference = {"$ref": f"#/components/schemas/{schema}"}
    return {"description": words, "content": {_JSON: {"schema": reference}}}
