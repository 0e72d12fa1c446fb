"""The tasks of a loop, shared by the threads that run it: each takes the next until none is left.

    @compiled_parallel
    def scale(team, x, s, y):
        for task in tasks(invite(team), len(x)):    # each task is done once, by whichever takes it
            y[task] = s[task] * x[task]

Every member of a team of threads runs the whole kernel. The caller begins at once and waits for
no other to start: one that comes late, or not at all since another program has its processor, finds
no task left. Each takes the tasks of its own share first, since their numbers are in its cache,
then those that others have not begun a moment later. `team` has the threads.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numba
from llvmlite import ir
from numba import config, types
from numba.core import cgutils

from minise.arrays import Array
from minise.kernels.numba.atomic import (
    Word,
    add,
    intrinsic,
    nap,
    pause,
    pointer,
    read,
    replace,
    write,
)
from minise.kernels.numba.cache import kept
from minise.kernels.numba.compile import compiled

# A team's memory in bytes, by cache lines, so that no member's writes get in another's way. For
# all members: whether there is a loop to join …
LINE = 64
STATE = 0  # how many have joined, plus OPEN while others may, plus FAILED for each that failed
LAUNCH = 8  # how many loops there have been
OPEN, FAILED = 2**20, 2**32
# … what does not change, and how often the caller has napped, …
SIZE, FRAME, LOOKS, NAP, NAP_TIME, NAPS, NEXT = (LINE + 8 * word for word in range(7))
# … a line for each member, …
MEMBERS = 2 * LINE
NUMBER, BASE, TAKEN, ASLEEP, SEEN, TURN = (8 * word for word in range(6))
FROM_PYTHON = 1  # added to the address of a line where Python calls, and no member
# … and the frame: the kernel of the current loop, and its arguments.
ROOM = 8 * 512  # an array of four axes takes 13 words of 8 bytes


@intrinsic
def _invite(typing: Any, team: Any) -> Any:
    """Where Python calls the kernel: invite others, do all of it here, and leave no tasks.

    Python's arrays count their references, and each slice is one: in a loop of several threads,
    these would be busy counting. So the kernel is called again as
    its members call it, with the same arrays, uncounted, from a frame.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kernel, (team,) = builder.function, arguments
        given = kernel.args[3:]  # the first two are places for a result and an error, then `team`
        for argument in given:
            if _is_data(argument):
                argument.add_attribute("noalias")  # what is written is read through no other array
        frame_type = ir.LiteralStructType([Word, *(argument.type for argument in given)])
        if context.get_abi_sizeof(frame_type) > ROOM:
            raise NotImplementedError(f"{kernel.name}: its arguments take more than ROOM")
        entry = _entry(builder.module, kernel, frame_type)
        tasks_of = cgutils.alloca_once_value(builder, team)
        on_stack = cgutils.alloca_once(builder, frame_type)
        with builder.if_then(builder.trunc(team, ir.IntType(1))):
            line = builder.sub(team, Word(FROM_PYTHON))
            base = builder.load(pointer(builder, builder.add(line, Word(BASE))))
            of_team = builder.load(pointer(builder, builder.add(base, Word(FRAME))))
            alone = builder.icmp_signed("==", of_team, Word(0))
            frame = builder.select(alone, builder.ptrtoint(on_stack, Word), of_team)
            at = builder.inttoptr(frame, frame_type.as_pointer())
            for k, value in enumerate([builder.ptrtoint(entry, Word), *given]):
                is_count = isinstance(value.type, ir.PointerType) and not _is_data(value)
                stored = value.type(None) if is_count else value
                builder.store(stored, cgutils.gep_inbounds(builder, at, 0, k))
            failed = builder.call(entry, [frame, line])
            with builder.if_then(builder.trunc(failed, ir.IntType(1)), likely=False):
                text = ("a loop found no memory for what it works in",)
                context.call_conv.return_user_exc(builder, MemoryError, text)
            builder.store(Word(0), tasks_of)
        return builder.load(tasks_of)

    return types.int64(types.int64), generate


def _is_data(argument: Any) -> bool:
    """Whether it is the address of an array's numbers, the fifth of what Numba passes of it."""
    return isinstance(argument.type, ir.PointerType) and argument.name.endswith(".4")


_ENTRY = ir.FunctionType(Word, [Word, Word])  # (frame, line of the member) -> 1 where it failed


def _entry(module: Any, kernel: Any, frame_type: Any) -> Any:
    """A function that calls the kernel with a frame's arguments and a member's line for `team`."""
    entry = ir.Function(module, _ENTRY, module.get_unique_name("entry"))
    entry.linkage = "internal"
    builder = ir.IRBuilder(entry.append_basic_block())
    frame, line = entry.args
    frame = builder.inttoptr(frame, frame_type.as_pointer())
    given = [
        builder.load(cgutils.gep_inbounds(builder, frame, 0, k))
        for k in range(1, len(frame_type.elements))
    ]
    places = [cgutils.alloca_once(builder, place.type.pointee) for place in kernel.args[:2]]
    status = builder.call(kernel, [*places, line, *given])
    value, none = (builder.icmp_signed("==", status, status.type(code)) for code in (0, -2))
    builder.ret(builder.zext(builder.not_(builder.or_(value, none)), Word))
    return entry


@intrinsic
def _enter(typing: Any, frame: Any, line: Any) -> Any:
    """Run the kernel of a frame as the member with that line."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        frame, line = arguments
        entry = builder.load(pointer(builder, frame))
        return builder.call(builder.inttoptr(entry, _ENTRY.as_pointer()), [frame, line])

    return types.int64(types.int64, types.int64), generate


@intrinsic
def _call(typing: Any, address: Any, team: Any, task: Any, count: Any) -> Any:
    """Call `next_task` by its address, so that it is not compiled again within each kernel."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        function = ir.FunctionType(Word, [Word] * 3).as_pointer()
        return builder.call(builder.inttoptr(arguments[0], function), arguments[1:])

    return types.int64(*[types.int64] * 4), generate


@numba.njit(error_model="numpy")  # not cached: what Numba has cached of a generator it cannot use
def _tasks(team: int, count: int) -> Iterator[int]:
    """The numbers from 0 to count − 1 that this member takes."""
    if team != 0:
        address = read(read(team + BASE) + NEXT)
        task = _call(address, team, -1, count)
        while task >= 0:
            yield task
            task = _call(address, team, task, count)


@compiled
def _share(base: int, owner: int, count: int) -> tuple[int, int]:
    """Where a member's share begins, and ends."""
    size = read(base + SIZE)
    return owner * count // size, (owner + 1) * count // size


@compiled
def _take(base: int, owner: int, count: int) -> int:
    """The next task of a member's share; -1 where none is left."""
    taken = base + MEMBERS + owner * LINE + TAKEN
    first, last = _share(base, owner, count)
    if first + read(taken) < last:
        task: int = first + add(taken, 1)
        if task < last:
            return task
    return -1


@compiled
def _let_work(base: int, number: int, count: int) -> None:
    """Leave their tasks to the others for a moment, if they are there: they have the numbers."""
    for _ in range(read(base + LOOKS) // 5):
        others = read(base + STATE) % OPEN + (number > 0)  # the caller does not join
        left = 0
        for owner in range(read(base + SIZE)):
            first, last = _share(base, owner, count)
            left += first + read(base + MEMBERS + owner * LINE + TAKEN) < last
        if left == 0 or others == 0:
            return
        pause()


@compiled
def _member(team: int) -> int:
    """The number of the thread that asks, from 0 on."""
    number: int = read(team + NUMBER)
    return max(0, number)  # of a team of one it is -1


@compiled
def _open(base: int) -> None:
    """Let members join the loop whose kernel is in the frame."""
    for member in range(read(base + SIZE)):
        write(base + MEMBERS + member * LINE + TAKEN, 0)
    add(base + LAUNCH, 1)
    add(base + STATE, OPEN)


@kept
@compiled
def next_task(team: int, task: int, count: int) -> int:
    """The task that a member takes after this one, or first if it is -1; -1 where none is left."""
    base, number = read(team + BASE), read(team + NUMBER)
    size = read(base + SIZE)
    if size == 1 or count < 2:
        return task + 1 if task + 1 < count else -1
    if task < 0:
        write(team + TURN, 0)  # its own share; then that of the next member
        if number == 0:
            _open(base)
    turn = read(team + TURN)
    task = _take(base, (number + turn) % size, count)
    while task < 0 and turn < size - 1:
        turn += 1
        write(team + TURN, turn)
        if turn == 1:
            _let_work(base, number, count)
        task = _take(base, (number + turn) % size, count)
    if task < 0 and number == 0:
        close(base)
    return task


@kept
@compiled
def one_nap(base: int) -> None:
    nap(read(base + NAP), read(base + NAP_TIME))


@kept
@compiled
def close(base: int) -> None:
    """Let no more members join, and wait until those who did have left."""
    if read(base + STATE) & OPEN:
        add(base + STATE, -OPEN)
    looks = 0
    while read(base + STATE) % OPEN > 0:
        looks += 1
        if looks < read(base + LOOKS):
            pause()
        else:
            one_nap(base)
            add(base + NAPS, 1)


@kept
@compiled
def serve(line: int) -> None:
    """Join loops, until none has come for a while."""
    base, looks = read(line + BASE), 0
    while looks < read(base + LOOKS):
        state = read(base + STATE)
        if state & OPEN and read(base + LAUNCH) != read(line + SEEN):
            if replace(base + STATE, state, state + 1):
                write(line + SEEN, read(base + LAUNCH))
                failed = _enter(read(base + FRAME), line)
                add(base + STATE, failed * FAILED - 1)
                looks = 0
        else:
            looks += 1
            pause()
    write(line + ASLEEP, 1)


@kept
@compiled
def replay(team: int, frames: Array) -> int:
    """Run the kernels of these frames, given their addresses, one after the other.

    Returns 1 where a buffer found no memory, else 0.
    """
    line = team - FROM_PYTHON
    base = read(line + BASE)
    of_team, others, failed = read(base + FRAME), read(base + SIZE) > 1, 0
    for k in range(frames.size):
        if others:
            write(base + FRAME, frames[k])  # nobody reads it now: no loop is open
        failed = _enter(frames[k], line)
        if failed:
            break
    if others:
        close(base)
        write(base + FRAME, of_team)
    return failed


@kept
@compiled
def look(address: int, times: int) -> int:
    """Look at a word so many times, as `serve` does."""
    found = 0
    for _ in range(times):
        found += read(address)
        pause()
    return found


# In a kernel, `for task in tasks(invite(team), count):` is each task of 0 … count − 1 that falls to
# the thread that runs it. `invite` stands in the kernel itself, whose first argument is `team`.
tasks: Any
invite: Any
member: Any
if config.DISABLE_JIT:  # type: ignore[attr-defined]

    def tasks(team: int, count: int) -> Iterator[int]:
        return iter(range(count))

    def invite(team: int) -> int:
        return team

    def member(team: int) -> int:
        return 0
else:
    tasks, invite, member = _tasks, _invite, _member
