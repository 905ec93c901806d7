"""`docs/scenarios.md`: the catalogue, as the scenarios themselves have it."""

from __future__ import annotations

from iolab.harness.scenarios.scenario import CATALOGUE, CATEGORIES, Scenario

HEAD = """\
<!-- Made by `python -m iolab docs` from harness/scenarios/; do not edit. -->
# The catalogue

What is done to a server, what must hold, and why. Every scenario has its two bystanders, whose
requests are answered within the bound from start to end, and ends with the cleanup check. *quiet*:
it is played a second time with nobody speaking from the trigger to the verdict. *Needs* names the
promises of the manifest and the abilities of the backend without which it is `UNSUPPORTED`.
"""


def page() -> str:
    """The whole page."""
    parts = [HEAD]
    for category in CATEGORIES:
        entries = [e for e in CATALOGUE.values() if e.id.partition(".")[0] == category]
        parts.append(f"\n## {category}\n")
        parts += [_section(entry) for entry in entries]
    return "".join(parts)


def _section(entry: Scenario) -> str:
    forms = [f"`/{case}`" for case in entry.cases if case]
    forms += ["*quiet*"] if entry.quiet else []
    forms += [f"{entry.rounds} rounds"] if entry.rounds > 1 else []
    needs = [f"`{name}`" for name in (*entry.promises, *entry.needs)]
    lines = [
        f"\n### {entry.id}",
        "",
        f"**{entry.title}.** {entry.expects}",
        "",
        f"- Why: {entry.why}",
        "- Sources, in our own words:",
        *(f"  - {cite}." for cite in entry.cites),
    ]
    if needs:
        lines.append(f"- Needs: {', '.join(needs)}")
    if forms:
        lines.append(f"- Played: {', '.join(forms)}")
    return "\n".join(lines) + "\n"
