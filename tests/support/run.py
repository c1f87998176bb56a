"""Run all sessions of the noxfile, say what was skipped and why, and sum up.

Writes dist/test/summary.json; the last line printed is `N passed, N failed, N skipped`.
"""

import json
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
RESULTS = ROOT / "dist" / "test"
SUMMARY = RESULTS / "summary.json"
CHECKS = ("lint", "types")
TIMEOUT_S = 40 * 60


def main(argv: list[str]) -> int:
    if argv != ["--summary"]:
        run_sessions()
    return show(json.loads(SUMMARY.read_text()))


def run_sessions() -> None:
    RESULTS.mkdir(parents=True, exist_ok=True)
    for former in (*RESULTS.glob("*.xml"), *RESULTS.glob("*.json")):
        former.unlink()
    began = time.monotonic()
    report = RESULTS / "nox.json"
    nox = [sys.executable, "-m", "nox", "--no-color", "--report", str(report)]
    subprocess.run(nox, cwd=ROOT, timeout=TIMEOUT_S, stdin=subprocess.DEVNULL, check=False)
    sessions = json.loads(report.read_text())["sessions"] if report.exists() else []
    summary = sum_up(sessions, seconds=round(time.monotonic() - began))
    SUMMARY.write_text(json.dumps(summary, indent=2) + "\n")


def sum_up(sessions: list[dict[str, str]], *, seconds: int) -> dict[str, object]:
    """A session without a test of its own (lint, types), or that fell over, counts as one."""
    counts = {"passed": 0, "failed": 0, "skipped": 0}
    reasons: list[str] = []
    for session in sessions:
        name, is_good = session["name"], session["result"] == "success"
        found, why = read_results(RESULTS / f"{name}.xml")
        if not is_good and not found["failed"]:
            found["failed"] += 1
        elif name in CHECKS:
            found["passed"] += 1
        counts = {key: counts[key] + found[key] for key in counts}
        reasons += why
    if not sessions:
        counts["failed"] += 1
    return {**counts, "seconds": seconds, "reasons": reasons}


def read_results(path: Path) -> tuple[dict[str, int], list[str]]:
    counts = {"passed": 0, "failed": 0, "skipped": 0}
    reasons = []
    for case in ET.parse(path).iter("testcase") if path.exists() else ():
        skipped = case.find("skipped")
        if case.find("failure") is not None or case.find("error") is not None:
            counts["failed"] += 1
        elif skipped is not None:
            counts["skipped"] += 1
            reasons.append(f"{case.get('classname')}.{case.get('name')}: {skipped.get('message')}")
        else:
            counts["passed"] += 1
    return counts, reasons


def show(summary: dict[str, object]) -> int:
    for reason in summary["reasons"]:
        print(f"skipped: {reason}")
    print(f"all tests took {summary['seconds']} s; summary in {SUMMARY.relative_to(ROOT)}")
    print("{passed} passed, {failed} failed, {skipped} skipped".format(**summary))
    return 1 if summary["failed"] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
