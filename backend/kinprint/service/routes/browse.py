"""`/openapi.json`, and `/docs` to browse it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import Response, jsonify, redirect
from flask_openapi3_swagger.plugins import RegisterPlugin

if TYPE_CHECKING:
    from flask_openapi3 import OpenAPI
    from werkzeug.wrappers import Response as BaseResponse

_PAGE_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; frame-ancestors 'none'"
)


def register(app: OpenAPI) -> None:
    """Add the description and its page (served from the wheel, no foreign host)."""

    @app.route("/openapi.json")
    def openapi() -> Response:
        return jsonify(app.api_doc)

    @app.route("/docs")
    def docs() -> BaseResponse:
        return redirect("docs/swagger")

    pages = RegisterPlugin.register(doc_url="../openapi.json")

    def allow_own_scripts(response: Response) -> Response:
        response.headers["Content-Security-Policy"] = _PAGE_POLICY
        return response

    pages.after_request(allow_own_scripts)
    app.register_blueprint(pages, url_prefix="/docs")
