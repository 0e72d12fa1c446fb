"""What comes through the websocket, before anybody has looked at it: a frame as a question."""

from __future__ import annotations

import json
import math
from collections import Counter
from typing import Any, NoReturn

from minise.errors import InputError
from minise.play.messages import shown

MOST_TEXT = 2**20  # bytes of a question
MOST_PICTURE = 2**23  # bytes of a picture's file
DIGITS = 15  # of a whole number: a page's own numbers have no more


def question_of(frame: str | bytes) -> tuple[object, bytes | None]:
    """The question in a frame, and the picture that came with it: text is JSON alone.

    In bytes they are framed as in `Answer.as_frame`. Raises `InputError` for what is too large,
    and what is no JSON: NaN, a field that is there twice, and numbers that no float can hold are
    none. Raises `RecursionError` for what is nested too deeply.
    """
    if isinstance(frame, str):
        return _json(frame.encode("utf-8", "surrogatepass")), None
    length = int.from_bytes(frame[:4], "little")
    if len(frame) < 4 or length > len(frame) - 4:
        raise InputError("a message in bytes has to begin with the length of its JSON")
    content = frame[4 + length :]
    if len(content) > MOST_PICTURE:
        raise InputError(
            f"the picture has {len(content):,} bytes, and may have {MOST_PICTURE:,}: make it less"
        )
    return _json(frame[4 : 4 + length]), content


def _json(text: bytes) -> object:
    if len(text) > MOST_TEXT:
        raise InputError(f"the message has {len(text):,} bytes, and may have {MOST_TEXT:,}")
    try:
        return json.loads(
            text.decode(),
            object_pairs_hook=_object,
            parse_constant=_no_number,
            parse_float=_float,
            parse_int=_whole,
        )
    except InputError:
        raise
    except ValueError as error:  # of the JSON, and of bytes that are no UTF-8
        raise InputError(f"the message is no JSON: {error}") from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        (twice, _), *_ = Counter(name for name, _ in pairs).most_common(1)
        raise InputError(f"the message has {shown(twice)} twice in one object")
    return found


def _float(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        _no_number(text)
    return number


def _whole(text: str) -> int:
    if len(text) > DIGITS:
        _no_number(text)
    return int(text)


def _no_number(text: str) -> NoReturn:
    raise InputError(f"the message has the number {shown(text)}, which is none here")
