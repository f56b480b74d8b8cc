from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator, validate

from streams.api_services.blueprint import blueprint
from streams.api_services.openapi import openapi_document
from streams.api_services.products import PRODUCTS
from streams.api_services.settings import ApiServicesSettings

BASE = "http://127.0.0.1:7800"


@pytest.fixture
def everything() -> ApiServicesSettings:
    return msgspec.structs.replace(blueprint(1)[0], products=dict.fromkeys(PRODUCTS, "0.002"))


@pytest.fixture
def document(everything: ApiServicesSettings) -> dict[str, Any]:
    """The document as customers get it."""
    made: dict[str, Any] = json.loads(msgspec.json.encode(openapi_document(everything, BASE)))
    return made


def test_the_document_is_valid_openapi(document: dict[str, Any]) -> None:
    validate(document, cls=OpenAPIV31SpecValidator)


def test_every_instance_of_the_blueprint_has_a_valid_document() -> None:
    for settings in blueprint(20)[::5]:
        validate(json.loads(msgspec.json.encode(openapi_document(settings, BASE))))


def test_only_what_is_sold_is_described() -> None:
    settings = blueprint(1)[0]
    paths = openapi_document(settings, BASE)["paths"]

    assert set(paths) == {f"/v1/{name}" for name in settings.products} | {"/v1/usage", "/healthz"}


def test_a_query_parameter_has_its_type_bounds_and_example(document: dict[str, Any]) -> None:
    parameters = {each.get("name"): each for each in document["paths"]["/v1/cron"]["get"]["parameters"]}

    assert parameters["count"]["schema"] == {"type": "integer", "minimum": 1, "maximum": 100, "default": 5}
    assert parameters["expression"]["required"]
    assert parameters["expression"]["example"] == "30 2 * * MON-FRI"
    assert parameters["after"]["schema"] == {"type": "string", "format": "date-time"}
    assert not parameters["after"]["required"]


def test_a_product_without_query_is_post_only(document: dict[str, Any]) -> None:
    assert set(document["paths"]["/v1/markdown"]) == {"post"}
    assert set(document["paths"]["/v1/iban"]) == {"get", "post"}


def test_every_paid_call_tells_price_charge_limits_and_refusals(document: dict[str, Any]) -> None:
    headers = {"X-Charge", "X-Receipt", "RateLimit", "RateLimit-Policy", "RateLimit-Remaining"}
    for name in PRODUCTS:
        for operation in document["paths"][f"/v1/{name}"].values():
            assert operation["x-price"] == {"amount": "0.002", "currency": "USD"}
            assert headers <= set(operation["responses"]["200"]["headers"])
            assert {"400", "401", "402", "409", "422", "429", "503"} <= set(operation["responses"])
            assert {"$ref": "#/components/parameters/IdempotencyKey"} in operation["parameters"]


def test_refusals_are_problem_details(document: dict[str, Any]) -> None:
    for response in document["components"]["responses"].values():
        assert list(response["content"]) == ["application/problem+json"]
    assert "Retry-After" in document["components"]["responses"]["LimitExceeded"]["headers"]


def test_a_key_is_needed_everywhere_but_for_the_health_check(document: dict[str, Any]) -> None:
    assert document["security"] == [{"key": []}]
    assert document["components"]["securitySchemes"]["key"]["scheme"] == "bearer"
    assert document["paths"]["/healthz"]["get"]["security"] == []
    assert "security" not in document["paths"]["/v1/usage"]["get"]


def test_the_examples_of_bodies_are_accepted_by_the_products(document: dict[str, Any]) -> None:
    for name, product in PRODUCTS.items():
        content = document["paths"][f"/v1/{name}"]["post"]["requestBody"]["content"]["application/json"]
        assert msgspec.convert(content["example"], product.request) == product.example


def test_operations_have_names_of_their_own(document: dict[str, Any]) -> None:
    names = [operation["operationId"] for path in document["paths"].values() for operation in path.values()]

    assert len(names) == len(set(names))
