"""A headless Chromium, and what axe-core finds wrong with a page in it."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from html import unescape
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

COMMANDS = ("chromium", "chromium-browser", "google-chrome", "chrome")
_ASKED = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice")
_RUN = """
<pre id="axe-result"></pre><script>%s</script><script>
axe.run(document, {runOnly: %s, resultTypes: ["violations"]}).then(found => {
  document.getElementById("axe-result").textContent = JSON.stringify({
    dark: matchMedia("(prefers-color-scheme: dark)").matches,
    passes: found.passes.length,
    violations: found.violations.map(one => [one.id, one.help, one.nodes.slice(0, 3).map(node => node.html)])
  });
});
</script></body>"""


def chromium() -> str:
    """Return the browser's command, or skip the test."""
    found = next(filter(None, map(shutil.which, COMMANDS)), None)
    if found is None:
        pytest.skip(f"no browser: none of {', '.join(COMMANDS)} is installed")
    return found


def axe_script() -> str:
    """Return axe-core, or skip the test."""
    package = find_spec("axe_core_python")
    if package is None or package.origin is None:
        pytest.skip("axe-core-python is not installed; it is in the extra test")
    return (Path(package.origin).parent / "axe.min.js").read_text()


def checked(page: Path, scratch: Path, *, dark: bool) -> dict[str, Any]:
    """Return what axe-core finds in a page, as a browser shows it: ``violations``, ``passes``, ``dark``.

    The page is copied without its policy, which allows no script.
    """
    source = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", page.read_text())
    copy = scratch / f"{page.stem}-{'dark' if dark else 'light'}.html"
    copy.write_text(source.replace("</body>", _RUN % (axe_script(), json.dumps(list(_ASKED)))))
    scheme = ["--blink-settings=preferredColorScheme=0"] if dark else []
    quiet = ["--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={scratch / 'profile'}"]
    asked = [chromium(), *quiet, *scheme, "--window-size=1400,2000", "--virtual-time-budget=60000", "--dump-dom"]
    done = subprocess.run([*asked, copy.as_uri()], capture_output=True, text=True, timeout=300, check=True)
    found = re.search(r'<pre id="axe-result">(.*?)</pre>', done.stdout, re.DOTALL)
    assert found and found[1], f"axe did not finish: {done.stderr[-500:]}"
    answer: dict[str, Any] = json.loads(unescape(found[1]))
    return answer
