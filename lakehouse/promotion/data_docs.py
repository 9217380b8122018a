"""Data Docs that need no network: what their pages would fetch is left out, and files of ours lie beside them."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

OURS = Path(__file__).parent / "static"
_REMOTE = r"""\s*=\s*["'](?:https?:)?//"""
_FETCHED = re.compile(
    rf"<script\b[^>]*\bsrc{_REMOTE}[^>]*>\s*</script>|<link\b[^>]*\bhref{_REMOTE}[^>]*>", re.IGNORECASE
)
_LOGO = re.compile(r"""(<img\b[^>]*\bsrc\s*=\s*["'])(?:https?:)?//[^"'?]*/([\w.-]+)[^"']*""", re.IGNORECASE)
_PICTURE = re.compile(r"""(?<=["'])(?:\.{1,2}/)*static/images/""")  # some of theirs lead to a folder too far up or down
_STYLED = re.compile(r"""url\(\s*["']?(?:https?:)?//[^)]*\)""", re.IGNORECASE)


def serve_locally(site: Path) -> None:
    """Let the pages below `site` that were written since the last time fetch only what lies beside them.

    Great Expectations' pages fetch 24 libraries, fonts and pictures from the network, without which they show no table.
    A style sheet and a script of ours, in the site's `static` folder, do what these pages ask of them.
    """
    static = site / "static"
    stamp = static / "shoplake.css"
    since = stamp.stat().st_mtime_ns if stamp.is_file() else 0
    written = [file for kind in ("html", "css") for file in site.rglob(f"*.{kind}") if file.stat().st_mtime_ns >= since]
    static.mkdir(parents=True, exist_ok=True)
    for file in written:
        up = "../" * (len(file.relative_to(site).parts) - 1)
        file.write_text(_local(file.read_text(encoding="utf-8"), f"{up}static"), encoding="utf-8")
    for name in ("shoplake.js", "shoplake.css"):  # the style sheet last: its time tells which pages are done
        shutil.copyfile(OURS / name, static / name)


def _local(text: str, static: str) -> str:
    """A page without what it would fetch from elsewhere, and with ours; pictures are those that lie in `static`."""
    text = _LOGO.sub(rf"\g<1>{static}/images/\g<2>", _FETCHED.sub("", text))
    text = _PICTURE.sub(f"{static}/images/", _STYLED.sub("none", text))
    ours = f'<link rel="stylesheet" href="{static}/shoplake.css"><script src="{static}/shoplake.js"></script>'
    return text if ours in text else text.replace("</head>", f"{ours}\n</head>", 1)
