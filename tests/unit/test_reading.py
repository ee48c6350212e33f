"""How the state of what runs guest code is read."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest

from simaie.engine.reading import Reader, frame_of
from simaie.guest.running import Runner


class Counting(Runner):
    """A runner that counts how often its state is asked for."""

    def __init__(self, state: Any) -> None:
        self.state, self.asked = state, 0

    async def run(self) -> None:
        """Do nothing."""

    def guest_state(self) -> Any:
        self.asked += 1
        return self.state


class Whole(Counting):
    """The same, with a state that is one token."""

    is_one_token: ClassVar[bool] = True


def tokens(*values: object) -> list[Any]:
    reader = Reader()
    for value in values:
        reader.value(value)
    return reader.tokens


@pytest.mark.parametrize("kind", [Counting, Whole])
def test_a_runner_is_read_once_and_then_referred_to(kind):
    one, other = kind((1, 2)), kind((1, 2))
    found = tokens(one, one)
    assert one.asked == 1
    assert found == tokens(other, other), "what counts is the state"
    assert found != tokens(one, other)
    assert found != tokens(kind((1, 3)), one)
    assert tokens(kind((1, 2))) != tokens(kind((1, 3)))


def test_the_order_in_which_variables_were_first_seen_is_no_state():
    """Python lists a variable last if the frame was looked at before the variable had a value."""

    class Stop:
        def __await__(self):
            yield

    async def guest(gets_a_value):
        await Stop()
        first = gets_a_value
        await Stop()
        return first

    def read(*, early):
        coroutine = guest(1)
        coroutine.send(None)
        if early:
            assert "first" not in frame_of(coroutine).f_locals
        coroutine.send(None)
        reader = Reader()
        reader.frame(coroutine)
        coroutine.close()
        return reader.tokens

    assert read(early=True) == read(early=False)
