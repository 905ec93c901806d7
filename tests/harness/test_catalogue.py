"""The catalogue: every scenario rests on sources, and says what each of them says."""

from __future__ import annotations

from typing import Any

import pytest

from iolab.harness.pages import scenarios as scenarios_page
from iolab.harness.places import ROOT
from iolab.harness.scenarios import sources
from iolab.harness.scenarios.catalogue import load_catalogue
from iolab.harness.scenarios.scenario import CATALOGUE, Cite, scenario

SOUND = Cite("RFC 9293 §3.7", "segments and reads have nothing to do with each other")
SHELF = {name: value for name, value in vars(sources).items() if isinstance(value, Cite)}


def cited() -> list[Cite]:
    return [cite for entry in load_catalogue().values() for cite in entry.cites]


@pytest.mark.parametrize(
    "cites",
    [
        (),
        ("RFC 9293 §3.7 (segmentation)",),
        (SOUND, Cite("recv(2)", "")),
        (SOUND, Cite("recv(2)", " \n")),
        (Cite("", "a receive returns what there is"),),
        "RFC 9293",  # the comma was forgotten
    ],
    ids=["none", "only a name", "no words", "blank words", "no source", "no comma"],
)
def test_a_scenario_without_what_its_sources_say_is_refused_by_name(cites: Any) -> None:
    enter = scenario("test.unfounded", title="t", expects="e", why="w", cites=cites)
    with pytest.raises(ValueError, match=r"^test\.unfounded: cites "):
        enter(lambda lab: None)
    assert "test.unfounded" not in CATALOGUE


def test_every_citation_is_a_clause_that_adds_to_the_name_of_its_source() -> None:
    for cite in cited():
        assert len(cite.says.split()) >= 4, cite
        assert cite.says.strip(" .") == cite.says, cite
        assert cite.source.strip() == cite.source, cite


def test_what_is_cited_twice_is_written_once() -> None:
    kept = set(SHELF.values())
    assert len(kept) == len(SHELF)
    alone = [cite for cite in cited() if cite not in kept]
    assert len(alone) == len({cite.source for cite in alone})
    assert kept <= set(cited()), "nobody cites it"


def test_a_page_of_the_project_that_is_cited_has_the_section() -> None:
    own = {cite.source for cite in cited() if cite.source.startswith("docs/")}
    assert own
    for source in own:
        page, section = source.split(", ")
        assert f"\n## {section}\n" in (ROOT / page).read_text(encoding="utf-8"), source


def test_the_page_shows_each_source_with_what_it_says() -> None:
    page = scenarios_page.page()
    for cite in cited():
        assert f"  - {cite.source}: {cite.says}.\n" in page
