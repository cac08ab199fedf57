from __future__ import annotations

from worker.pages import image_urls

PAGE = """<html><head><base href="/pictures/"><title>&lt;img src="no.jpg"&gt;</title></head>
<body><IMG SRC=a.jpg alt="one"><p><img src="https://elsewhere.example/b.png#part">
<img src='../c.gif?w=1&amp;h=2'><img data-src="late.jpg" src="data:image/gif;base64,R0lGODlhAQABAAAAACw=">
<img src=""><img alt="none"><img src="a.jpg"><img src="javascript:alert(1)"><img src="http://[broken">
<a href="d.jpg">not shown</a><!-- <img src="e.jpg"> -->"""


def test_the_images_that_a_page_shows_are_found_once_each() -> None:
    assert image_urls(PAGE, "https://example.com/story/index.html") == [
        "https://example.com/pictures/a.jpg",
        "https://elsewhere.example/b.png",
        "https://example.com/c.gif?w=1&h=2",
        "https://example.com/pictures/late.jpg",
    ]


def test_what_is_no_page_shows_nothing() -> None:
    for text in ("", "words", "<img", "<<<>>>", "\0\1\2"):
        assert image_urls(text, "https://example.com/") == []
