"""Make the README's picture of a page: parts of that of two heads on digits, in headless Chromium.

    python -m tools.page_picture [--out docs/images/page.png] [--browser chromium]

The parts are the answer, the heads and the confusion matrix, as wide as can be read at the README's width. The
dataset and the backbone are part of the package, so nothing is downloaded. Look at the picture before you
commit it.
"""

from __future__ import annotations

import argparse
import io
import shutil
import subprocess
import tempfile
from pathlib import Path

from PIL import Image, ImageChops

from frostline.pipeline.run.run import run
from frostline.pipeline.settings import Settings

WIDTH, HEIGHT, SCALE, COLOURS = 940, 4000, 1.75, 64
MARGIN = 32  # pixels
LARGEST = 200_000  # bytes
SHOWN = """<style>
body { padding-top: 1rem; }
nav, footer, main > section:not(#heads, #mistakes), #heads > h3, #heads > h3 ~ * { display: none; }
#mistakes > :not(h2, p:first-of-type, .columns) { display: none; }
</style>"""


def main() -> None:
    """Run on digits, take the picture and say how large it is."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("docs/images/page.png"))
    parser.add_argument("--browser", default=shutil.which("chromium") or "chromium")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        page = run(Settings(head=("logreg", "ridge"), data_dir=Path(scratch) / "data")).path.with_name("report.html")
        picture = compressed(photographed(page, asked.browser, Path(scratch)))
    if len(picture) > LARGEST:
        raise SystemExit(f"the picture has {len(picture):,} bytes; expected at most {LARGEST:,}")
    asked.out.parent.mkdir(parents=True, exist_ok=True)
    asked.out.write_bytes(picture)
    print(f"{asked.out}: {len(picture):,} bytes")


def photographed(page: Path, browser: str, scratch: Path) -> Image.Image:
    """Return the top of a page, its heads and its confusion matrix, as a browser shows them in light colours."""
    file, part = scratch / "page.png", scratch / "part.html"
    part.write_text(page.read_text().replace("</head>", f"{SHOWN}</head>", 1))
    flags = [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--hide-scrollbars",
        f"--user-data-dir={scratch / 'profile'}",
    ]
    size = [f"--window-size={WIDTH},{HEIGHT}", f"--force-device-scale-factor={SCALE}"]
    subprocess.run([browser, *flags, *size, f"--screenshot={file}", part.as_uri()], check=True, capture_output=True)
    with Image.open(file) as shown:
        return trimmed(shown.convert("RGB"))


def trimmed(picture: Image.Image) -> Image.Image:
    """Return a picture without the empty rows at its end."""
    empty = Image.new("RGB", picture.size, picture.getpixel((0, 0)))
    _, _, _, end = ImageChops.difference(picture, empty).getbbox() or (0, 0, 0, picture.height)
    return picture.crop((0, 0, picture.width, min(picture.height, end + MARGIN)))


def compressed(picture: Image.Image) -> bytes:
    """Return a picture as PNG of few colours: text and lines need no more."""
    file = io.BytesIO()
    picture.quantize(COLOURS, dither=Image.Dither.NONE).save(file, "PNG", optimize=True)
    return file.getvalue()


if __name__ == "__main__":
    main()
