"""The HTTP side of entitlements: what the payment provider tells, signed by it."""

from datetime import UTC, datetime

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from api.entitlements.service import Entitlements
from api.entitlements.signatures import Signatures
from config.errors import NotFound
from config.serving.answers import json_response
from config.settings import Settings


def routes(entitlements: Entitlements, settings: Settings) -> list[Route]:
    """One route. Whatever the signature is good for is answered 200; only what may pass later is an error."""
    secrets = settings.stripe_webhook_secrets
    signatures = Signatures(secrets)

    async def webhook(request: Request) -> Response:
        if not secrets:
            raise NotFound("No payment provider is set up here: STRIPE_WEBHOOK_SECRET is empty")
        body = await request.body()
        await signatures.check(body, request.headers.get("stripe-signature"))
        return json_response({"received": True, "outcome": await entitlements.take(body, datetime.now(UTC))})

    return [Route("/api/v1/webhooks/stripe", webhook, methods=["POST"])]
