"""A program that offers a file to the browser as soon as it runs."""

from __future__ import annotations

from io import StringIO

from textual.app import App


class Offering(App[None]):
    def on_mount(self) -> None:
        self.deliver_text(
            StringIO("name,type\nn1,cpu\n"),
            save_filename='no"des\r\n.html',
            open_method="browser",
            mime_type="text/html",
        )


if __name__ == "__main__":
    Offering().run()
