"""What a browser is given: the page around the terminal, and the headers of every answer."""

from __future__ import annotations

import html
from collections.abc import Mapping

_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>{title}</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/static/css/xterm.css">
<script src="/static/js/textual.js"></script>
<style>
@font-face {{
  font-family: "Roboto Mono";
  src: url("/static/fonts/RobotoMono-VariableFont_wght.ttf");
}}
body {{ margin: 0; background: #111; color: #ddd; font: 16px "Roboto Mono", monospace; }}
.textual-terminal {{ width: 100vw; height: 100vh; overflow: hidden; }}
.ended {{ display: none; position: fixed; inset: 0; background: #111d; text-align: center; }}
.ended p {{ margin-top: 40vh; }}
.ended a {{ color: #8cf; }}
body.-closed .ended {{ display: block; z-index: 20; }}
</style>
</head>
<body>
<div class="textual-terminal" data-session-websocket-url="ws://{host}/ws"
     data-font-size="{font_size}"></div>
<div class="ended" role="alert"><p>This session has ended. <a href="/">Open it again</a></p></div>
</body>
</html>
"""

_ADMITTED = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>raytui</title>
<link rel="icon" href="data:,">
<meta http-equiv="refresh" content="0;url=/"></head>
<body><a href="/">raytui</a></body></html>
"""

_FONT_PX = range(6, 49)
_USUAL_FONT_PX = 16


def page(title: str, host: str, font_size: str) -> str:
    """The page with the terminal. `font_size` is what was asked for, in pixels."""
    asked = int(font_size) if font_size.isascii() and font_size.isdigit() else _USUAL_FONT_PX
    size = asked if asked in _FONT_PX else _USUAL_FONT_PX
    return _PAGE.format(title=html.escape(title), host=html.escape(host), font_size=size)


def admitted() -> str:
    """The answer to the token: goes on to the page, and takes the token out of the history.

    A page of our own, not a redirect: only then is the strict cookie sent when the link was
    followed from somewhere else, such as a file.
    """
    return _ADMITTED


def headers(host: str) -> Mapping[str, str]:
    """For every answer: nothing is kept, told to others, framed, or loaded from elsewhere.

    The terminal emulator makes style elements, so styles may be inline; scripts may not.
    """
    policy = (
        "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; font-src 'self'; "
        f"img-src 'self' data:; connect-src 'self' ws://{host}; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    return {
        "Content-Security-Policy": policy,
        "Cache-Control": "no-store",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
    }
