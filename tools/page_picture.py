"""Make the README's picture of a page: the top and the mistakes of ``frostline run`` on digits, in headless Chromium.

    python -m tools.page_picture [--out docs/images/page.png] [--browser chromium]

The dataset and the backbone are part of the package, so nothing is downloaded. Look at the picture before you
commit it.
"""

from __future__ import annotations

import argparse
import io
import shutil
import subprocess
import tempfile
from pathlib import Path

from PIL import Image

from frostline.pipeline.run.run import run
from frostline.pipeline.settings import Settings

WIDTH, HEIGHT, SCALE, COLOURS = 1000, 1150, 1.25, 128
LARGEST = 200_000  # bytes
BESIDE = """<!doctype html><body style="margin:0;display:flex;gap:1px;background:#d8dee5">
<iframe src="{0}" style="border:0;width:{1}px;height:{2}px"></iframe>
<iframe src="{0}#mistakes" style="border:0;width:{1}px;height:{2}px"></iframe>"""


def main() -> None:
    """Run on digits, take the picture and say how large it is."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("docs/images/page.png"))
    parser.add_argument("--browser", default=shutil.which("chromium") or "chromium")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        page = run(Settings(data_dir=Path(scratch) / "data")).path.with_name("report.html")
        picture = compressed(photographed(page, asked.browser, Path(scratch)))
    if len(picture) > LARGEST:
        raise SystemExit(f"the picture has {len(picture):,} bytes; expected at most {LARGEST:,}")
    asked.out.parent.mkdir(parents=True, exist_ok=True)
    asked.out.write_bytes(picture)
    print(f"{asked.out}: {len(picture):,} bytes")


def photographed(page: Path, browser: str, scratch: Path) -> Image.Image:
    """Return the top of a page and its mistakes, side by side, as a browser shows them in light colours."""
    file, both = scratch / "page.png", scratch / "both.html"
    both.write_text(BESIDE.format(page.as_uri(), WIDTH, HEIGHT))
    flags = [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--hide-scrollbars",
        f"--user-data-dir={scratch / 'profile'}",
    ]
    size = [f"--window-size={2 * WIDTH + 1},{HEIGHT}", f"--force-device-scale-factor={SCALE}"]
    subprocess.run([browser, *flags, *size, f"--screenshot={file}", both.as_uri()], check=True, capture_output=True)
    with Image.open(file) as shown:
        return shown.convert("RGB")


def compressed(picture: Image.Image) -> bytes:
    """Return a picture as PNG of few colours: text and lines need no more."""
    file = io.BytesIO()
    picture.quantize(COLOURS, dither=Image.Dither.NONE).save(file, "PNG", optimize=True)
    return file.getvalue()


if __name__ == "__main__":
    main()
