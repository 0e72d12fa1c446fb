"""Files that were damaged at random are refused by one error, and by nothing else.

`MINISE_FUZZ=20000` sets how many are tried of each kind. With coverage as a guide:
`python tests/fuzz/guided.py idx -runs=100000`.
"""

import os

import pytest
from fuzz.targets import seeds
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

COUNT = int(os.environ.get("MINISE_FUZZ", "100"))
TARGETS = seeds()


@st.composite
def damages(draw):
    """A function from whole bytes to damaged ones."""
    changes = draw(
        st.lists(
            st.tuples(
                st.sampled_from(["set", "cut", "insert", "repeat", "number"]),
                st.floats(0, 1),
                st.binary(min_size=1, max_size=8),
            ),
            min_size=1,
            max_size=6,
        )
    )

    def damage(content):
        for kind, where, put in changes:
            # most that is believed stands in the first and last part of a file
            at = int(len(content) * where**3)
            if kind == "set":
                content = content[:at] + put + content[at + len(put) :]
            elif kind == "cut":
                content = content[:at] + content[at + len(put) ** 3 :]
            elif kind == "insert":
                content = content[:at] + put + content[at:]
            elif kind == "repeat":
                content = content[:at] + content[at : at + 40] * 3 + content[at + 40 :]
            else:  # a large number where there is a small one
                content = content[:at] + b"\xff\xff\xff\x7f" + content[at + 4 :]
        return content

    return damage


@pytest.mark.parametrize("name", TARGETS)
def test_whole_files_are_taken(name):
    target, wholes = TARGETS[name]
    assert not any(target(whole) for whole in wholes)


@pytest.mark.parametrize("name", TARGETS)
@settings(max_examples=COUNT, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data(), damage=damages(), cut=st.floats(0, 1))
def test_damaged_files_are_refused_or_taken_and_nothing_else(name, data, damage, cut):
    target, wholes = TARGETS[name]
    whole = data.draw(st.sampled_from(wholes))
    target(damage(whole))
    target(whole[: int(cut * len(whole))])
    target(data.draw(st.binary(max_size=200)))
