"""Serving the OpenAPI document, which takes seconds to build, holds nobody else up."""

from __future__ import annotations

import asyncio

import httpx2

from api.app import create_app
from api.config import ApiConfig


def test_others_are_answered_while_the_document_is_built() -> None:
    app = create_app(ApiConfig(database_url="postgresql://nowhere/none", auth_secret="s" * 40))

    async def order() -> list[str]:
        done: list[str] = []

        async def ask(client: httpx2.AsyncClient, path: str) -> None:
            answer = await client.get(path)
            assert answer.status_code == 200, answer.text
            done.append(path)

        transport = httpx2.ASGITransport(app=app)
        client = httpx2.AsyncClient(transport=transport, base_url="http://localhost:3001")
        async with app.router.lifespan_context(app), client:
            await asyncio.gather(ask(client, "/api/openapi.json"), ask(client, "/health"))
        return done

    assert asyncio.run(order()) == ["/health", "/api/openapi.json"]
