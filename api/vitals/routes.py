"""The HTTP side of the page's vitals."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from api.vitals.rules import report_of
from api.vitals.service import Vitals
from config.errors import UnsupportedMediaType
from config.rates.gate import Gate
from config.serving.answers import is_json


def routes(vitals: Vitals, gate: Gate) -> list[Route]:
    """All routes."""

    async def tell(request: Request) -> Response:
        if not is_json(request.headers.get("content-type")):
            raise UnsupportedMediaType("Content-Type must be application/json")
        await gate.vitals(request.scope["state"])
        vitals.tell(report_of(await request.body()))
        return Response(status_code=204, headers={"Cache-Control": "no-store"})

    return [Route("/api/v1/vitals", tell, methods=["POST"])]
