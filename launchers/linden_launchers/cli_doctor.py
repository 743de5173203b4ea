"""space-cluster doctor: prints what doctor.py finds."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict

from .doctor import BAD, Finding, examine
from .exit_codes import EXIT_FAILED, EXIT_OK

_MARKS = {"ok": "ok  ", "bad": "BAD ", "note": "note"}


def doctor(options: argparse.Namespace) -> int:
    """Examines how things are here; 1 if something is bad."""
    findings: list[Finding] = []
    for finding in examine(options.connection, options.cluster_id, timeout=options.timeout):
        findings.append(finding)
        if not options.json:
            print(_line(finding), flush=True)
    if options.json:
        print(json.dumps([asdict(finding) for finding in findings], indent=1))
    return EXIT_FAILED if any(finding.verdict == BAD for finding in findings) else EXIT_OK


def _line(finding: Finding) -> str:
    text = finding.found.replace("\n", "\n" + " " * 25)
    remedy = f"\n{'':25}-> {finding.remedy}" if finding.remedy else ""
    return f"{_MARKS[finding.verdict]} {finding.what:<19} {text}{remedy}"
