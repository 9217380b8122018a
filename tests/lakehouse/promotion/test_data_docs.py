"""Data Docs fetch nothing from the network: pages as Great Expectations writes them, made to stand alone."""

from pathlib import Path

from lakehouse.promotion.data_docs import serve_locally

PAGE = """<html><head>
<link rel="stylesheet" href="https://cdn.example/bootstrap.css"/>
<link rel="icon" href="../../static/images/favicon.ico">
<script src="//cdn.example/jquery.js" integrity="sha384-x"
  crossorigin="anonymous"></script>
<style>.brand { background: url('https://cdn.example/logo.png') 0 0 no-repeat; mask: url(#mask-2); }</style>
</head><body><img class="x" src="https://cdn.example/assets/logo-long.png?d=1&id=2" alt="logo">
<a href="https://docs.example">read more</a><script>$("#a").bootstrapTable({});</script></body></html>"""


def test_what_a_page_would_fetch_from_elsewhere_lies_beside_it(tmp_path: Path) -> None:
    page = tmp_path / "suites" / "orders.html"
    page.parent.mkdir()
    page.write_text(PAGE)
    serve_locally(tmp_path)
    text = page.read_text()
    assert "cdn.example" not in text
    assert 'src="../static/images/logo-long.png"' in text
    assert 'href="../static/images/favicon.ico"' in text
    assert "url(#mask-2)" in text
    assert '<a href="https://docs.example">' in text  # followed by a person alone
    assert '$("#a").bootstrapTable({});' in text
    for name in ("shoplake.css", "shoplake.js"):
        assert text.count(f'"../static/{name}"') == 1
        assert (tmp_path / "static" / name).stat().st_size


def test_pages_of_a_later_run_are_made_so_too_and_older_ones_stay(tmp_path: Path) -> None:
    first, second = tmp_path / "first.html", tmp_path / "second.html"
    first.write_text(PAGE)
    serve_locally(tmp_path)
    before = first.read_text()
    second.write_text(PAGE)
    serve_locally(tmp_path)
    assert second.read_text() == before == first.read_text()
