"""Every notebook of `tutorials` runs from a clean kernel, its exercises answered wrong and right.

The wrong answers are in `wrong/`, one file for each notebook: a heading for each exercise, and
under it at least three of what learners write, in fences.
"""

import functools
import re
from pathlib import Path

import notebooks
import pytest

PATHS = sorted(notebooks.FOLDER.glob("*.ipynb"))
WRONG = Path(__file__).parent / "wrong"
NUMBER = re.compile(r"[-+−±]?\d[\d,_]*(\.\d+)?(e[-+]?\d+)?\b")


@functools.cache
def wrong_answers(name):
    """Of each exercise of a notebook; a translation has those of the one it was made from."""
    path = WRONG / f"{name.split('.')[0]}.md"
    text = path.read_text() if path.exists() else ""
    exercises = re.split(r"^# .*\n", text, flags=re.MULTILINE)[1:]
    return [re.findall(r"^```python\n(.*?)\n```$", e, re.DOTALL | re.MULTILINE) for e in exercises]


@functools.cache
def executed(path):
    """The notebook, each exercise answered by all that is wrong and then by its solution."""
    stored = notebooks.read(path)
    right = notebooks.solutions(stored)
    wrong = wrong_answers(path.name)
    answers = [[*w, r] for w, r in zip(wrong, right, strict=True)]
    notebook = notebooks.answered(stored, answers)
    notebooks.execute(notebook, path.parent)
    return notebook


def cells_of(notebook, *, judged=False):
    """Its code, without exercises and what judges them, or only the latter."""
    for cell in notebook.cells:
        left_out = notebooks.tagged(cell, "exercise") or notebooks.tagged(cell, "labels")
        if cell.cell_type == "code" and not left_out and notebooks.tagged(cell, "judge") == judged:
            yield cell


def kinds(cell):
    """What a cell's outputs are; of text, the words without numbers, lines and spaces."""
    found = []
    for output in cell.outputs:
        if output.output_type == "stream":
            found.append((output.name, re.sub(r"[\s─━│┃-]+", " ", NUMBER.sub("#", output.text))))
        else:
            found.append((output.output_type, *sorted(output.data)))
    return found


def printed(cell):
    return "".join(output.text for output in cell.outputs if output.output_type == "stream")


@pytest.fixture(params=PATHS, ids=lambda path: path.stem, scope="module")
def path(request):
    return request.param


@pytest.mark.notebook
def test_all_cells_run_all_checks_hold_and_outputs_are_as_stored(path):
    now, stored = executed(path), notebooks.read(path)
    for ours, theirs in zip(cells_of(now), cells_of(stored), strict=True):
        assert kinds(ours) == kinds(theirs), ours.source


@pytest.mark.notebook
def test_exercises_reject_what_is_wrong_and_accept_the_solution(path):
    verdicts = [printed(cell) for cell in cells_of(executed(path), judged=True)]
    for answers in wrong_answers(path.name):
        assert len(answers) >= 3
        for answer in answers:
            verdict = verdicts.pop(0)
            assert "FAILED" in verdict, f"{answer}\n{verdict}"
            assert "passed" not in verdict
        verdict = verdicts.pop(0)
        assert "passed" in verdict, verdict
        assert "FAILED" not in verdict, verdict
    assert not verdicts


def test_exercises_are_not_solved_in_what_is_stored(path):
    for cell in cells_of(notebooks.read(path), judged=True):
        assert "FAILED" in printed(cell)


def test_stored_outputs_come_from_the_code_that_is_stored(path):
    notebook = notebooks.read(path)
    assert notebook.metadata.minise.code == notebooks.code_mark(notebook)
    counts = [cell.execution_count for cell in notebook.cells if cell.cell_type == "code"]
    assert counts == list(range(1, len(counts) + 1))


def test_each_exercise_is_followed_by_its_judge_and_its_solution(path):
    tags = [
        tag
        for cell in notebooks.read(path).cells
        for tag in cell.metadata.get("tags", [])
        if tag not in ("check", "labels")
    ]
    assert tags == ["exercise", "judge", "solution"] * len(wrong_answers(path.name))
    assert tags
    assert any(notebooks.tagged(cell, "check") for cell in notebooks.read(path).cells)


def test_links_lead_somewhere(path):
    for cell in notebooks.read(path).cells:
        if cell.cell_type == "markdown":
            for target in re.findall(r"\]\(([^)#\s]+)", cell.source):
                assert target.startswith("https://") or (path.parent / target).exists(), target


def test_a_mark_changes_with_any_line_of_code():
    notebook = notebooks.read(PATHS[0])
    before = notebooks.code_mark(notebook)
    next(cells_of(notebook)).source += " "
    assert notebooks.code_mark(notebook) != before
