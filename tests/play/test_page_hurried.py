"""What is done on the page faster than it is answered ends as in Python, one after the other."""

import copy

import numpy as np
import pytest
from in_chromium import needs_chromium, settled
from in_play import HOLD, layer, scores

from minise.play.session import Session

pytestmark = needs_chromium

CHANNELS = {"se1": 8, "se2": 16}
OWN = {"off": False, "like": None, "gates": {}}


class Patient:
    """Who waits for each answer: a session, and what is asked of it."""

    def __init__(self, net, collection):
        self.session = Session(net, collection)
        self.wish = {"image": {"from": "test", "number": 0}, "changes": {}, "label": None}
        self.losses = []

    def ask(self, kind, **fields):
        return self.session.answer(self.wish | {"kind": kind} | fields).header

    def change(self, name, **change):
        old = self.wish["changes"].get(name, OWN)
        self.wish["changes"][name] = copy.deepcopy(old) | change
        self.losses = []

    def pick(self, **wish):
        self.wish |= wish
        self.losses = []

    def step(self):
        self.losses = self.losses or [self.ask("look")["loss"]]
        self.losses.append(self.ask("step", lr=0.001)["loss"])

    def back(self, kind):
        told = self.ask(kind)
        if told["kind"] == "refused":
            return  # there was no step
        if kind == "undo" and len(self.losses) > 1:
            self.losses.pop()
        else:
            self.losses = [told["loss"]]


def press(page, name):
    """A button, though it may be far from the window; returns whether it was enabled."""
    button = page.get_by_role("button", name=name, exact=True)
    return button.evaluate("button => (button.click(), !button.disabled)")


def do(page, patient, rng):
    """One thing, on the page and by the patient one."""
    name = str(rng.choice(list(CHANNELS)))
    channel, k = int(rng.integers(CHANNELS[name])), int(rng.integers(10))
    number = patient.wish["image"]["number"]
    match rng.integers(9):
        case 0:
            press(page, "next test image")
            patient.pick(image={"from": "test", "number": (number + 1) % 200})
        case 1:
            page.get_by_label("the right answer").select_option(str(k))
            patient.pick(label=k)
        case 2 | 3 if press(page, "1 step"):
            patient.step()
        case 4 if press(page, "undo step"):
            patient.back("undo")
        case 5 if k < 3 and press(page, "undo all steps"):
            patient.back("reset")
        case 6:
            key, gate = [("Home", 0), ("End", 1), ("Delete", None)][k % 3]
            slider = f"gate of channel {channel} in {name}"
            page.get_by_role("slider", name=slider, exact=True).press(key)
            gates = patient.wish["changes"].get(name, OWN)["gates"] | {str(channel): gate}
            patient.change(name, gates={c: g for c, g in gates.items() if g is not None})
        case 7:
            off = not patient.wish["changes"].get(name, OWN)["off"]
            page.get_by_label(f"switch {name} off").evaluate("box => box.click()")
            patient.change(name, off=off, like=None, gates={})
        case 8:
            page.get_by_label(f"gates of {name}").select_option(str(k))
            patient.change(name, off=False, like=k, gates={})


@pytest.mark.parametrize("seed", range(4))
def test_what_is_done_in_a_hurry_ends_as_what_is_done_in_patience(page, net, collection, seed):
    rng, patient = np.random.default_rng(seed), Patient(net, collection)
    page.set_viewport_size({"width": 1280, "height": 3000})  # so that each layer is near
    settled(page)
    page.evaluate(HOLD)
    for _ in range(60):
        do(page, patient, rng)
        if rng.random() < 0.3:
            page.evaluate("held.shift()?.()")
    page.evaluate("free()")
    settled(page)
    seen = patient.ask("look")
    np.testing.assert_array_equal(scores(page), seen["scores"])
    blocks = {block["name"]: block["s"] for block in seen["layers"] if block["kind"] == "block"}
    for name, s in blocks.items():
        gates = layer(page, name).locator(".gate")
        shown = gates.evaluate_all("gates => gates.map(gate => Number(gate.ariaValueNow))")
        np.testing.assert_allclose(shown, s, rtol=1e-6)
    curve = page.get_by_role("img", name=f"the loss over {len(patient.losses) - 1} steps")
    assert curve.count() == (len(patient.losses) > 1)
    taken = page.locator(".learning > .quiet").inner_text()
    assert not seen["steps"] or taken.startswith(f"{seen['steps']} step")
