"""The report in a real browser: no error in its console, and the viewer answers. Needs Chromium (Debian: chromium)."""

from __future__ import annotations

import base64
import json
import re
import shutil
import subprocess

import pytest
from tables_helpers import write_json, write_results
from test_page import report
from test_viewer import ball

from electroscreen.quantum.mapped import write_mapped

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(BROWSER is None, reason="no Chromium here")

# The smallest PNG there is.
PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)

LISTENS = """<script>
window.heard = [];
window.addEventListener("error", event => heard.push(event.message || "not loaded: " + event.target.src), true);
window.addEventListener("unhandledrejection", event => heard.push(String(event.reason)));
for (const kind of ["error", "warn"]) console[kind] = (...words) => heard.push(words.join(" "));
</script>"""

CLICKS = """<script>
addEventListener("load", () => {
  const canvas = document.getElementById("viewer"), told = document.getElementById("viewer-potential");
  const box = canvas.getBoundingClientRect(), first = canvas.toDataURL(), seen = { ends: told.textContent };
  seen.choices = [...document.getElementById("viewer-species").options].map(one => one.text);
  const at = share => ({ clientX: box.left + share * box.width, clientY: box.top + box.height / 2, bubbles: true });
  canvas.dispatchEvent(new PointerEvent("pointermove", at(0.5)));
  seen.middle = told.textContent;
  canvas.dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowRight", bubbles: true }));
  seen.turned = canvas.toDataURL() !== first;
  canvas.dispatchEvent(new WheelEvent("wheel", { deltaY: -400, bubbles: true, cancelable: true }));
  const larger = canvas.toDataURL();
  document.getElementById("viewer-species").dispatchEvent(new Event("change"));
  seen.chosen_anew = canvas.toDataURL() === first && larger !== first;
  const opens = one => { one.open = true; return one.offsetHeight > 0; };
  seen.opened = [...document.querySelectorAll("details")].every(opens);
  const probe = document.createElement("pre");
  probe.id = "probe";
  probe.textContent = JSON.stringify({ ...seen, heard });
  document.body.append(probe);
});
</script>"""


@pytest.fixture
def probed(tmp_path):
    """What a page with one mapped surface says in the browser."""
    write_results(tmp_path)
    # What has a picture but no surface, of an SCF that failed, is not there to be chosen.
    for name in ("LiF", "DOL"):
        record = {"verdict": "ok", "v_max_ev": 2.0, "v_min_ev": -2.0, "v_max_atom": "Li1"}
        write_json(tmp_path / "species" / name / "esp.json", record)
        (tmp_path / "species" / name / "esp.png").write_bytes(PIXEL)
    folder = tmp_path / "species" / "LiF"
    write_mapped(ball(), folder / "esp.npz")
    text = report(tmp_path)
    assert text.count("<head>") == text.count("</body>") == 1
    page = tmp_path / "probed.html"
    page.write_text(text.replace("<head>", "<head>" + LISTENS).replace("</body>", CLICKS + "</body>"), encoding="utf-8")
    alone = "--headless --no-sandbox --disable-gpu --disable-dev-shm-usage --no-first-run --disable-sync"
    quiet = "--disable-background-networking"
    command = [BROWSER, *alone.split(), quiet, f"--user-data-dir={tmp_path / 'profile'}", "--virtual-time-budget=10000"]
    done = subprocess.run(
        [*command, "--dump-dom", page.as_uri()], capture_output=True, text=True, timeout=240, check=True
    )
    (found,) = re.findall(r'<pre id="probe">(.*?)</pre>', done.stdout, flags=re.DOTALL)
    return json.loads(found)


def test_the_page_raises_no_error_and_its_viewer_turns_and_tells(probed):
    assert probed["heard"] == []
    assert probed["choices"] == ["LiF"]
    assert re.fullmatch(r"from -\d\.\d\d eV \(red\) to \d\.\d\d eV \(blue\)", probed["ends"])
    assert re.fullmatch(r"-?\d\.\d\d eV here", probed["middle"])
    assert probed["turned"] and probed["chosen_anew"]
    assert probed["opened"]
