"""Recipes that hold something, against a real server: lock, semaphore and election."""

import signal
import subprocess
import sys

import linden
import pytest
from linden import NoMatch, Space, StaleLease
from linden.recipes import Election, Leader, Lock, Semaphore, open_space
from recipes_support import Call, Join, Server, lose, until_waiting
from recipes_support import join as join
from recipes_support import space as space


def test_who_sets_a_recipe_up_at_the_same_time_sets_up_one(join: Join) -> None:
    clients = [join() for _ in range(8)]
    calls = [Call(lambda client=client: Semaphore(client, "s", 3).available()) for client in clients]  # type: ignore[misc]
    assert [call.result() for call in calls] == [3] * 8
    assert clients[0].count(("semaphore", "s", int)) == 3


def test_who_is_lost_while_it_sets_up_leaves_that_to_the_next(join: Join) -> None:
    first, second = join(), join()
    first.reserve(("recipe-seed",))
    waiting = Call(lambda: Semaphore(second, "s", 3).available())
    until_waiting(second, 1)
    lose(first)
    assert waiting.result() == 3


def test_recipes_with_other_settings_are_refused(space: Space) -> None:
    assert Semaphore(space, "s", 3).available() == 3
    with pytest.raises(ValueError, match=r"semaphore 's' was set up with \[3\], not \[4\]"):
        Semaphore(space, "s", 4).available()
    with pytest.raises(ValueError, match="permits is 0"):
        Semaphore(space, "t", 0)


def test_a_space_that_was_not_made_for_recipes_is_refused(space_server: Server) -> None:
    with linden.connect(space_server.address) as connection:
        lock = Lock(connection.space("other"), "a")
        with pytest.raises(ValueError, match="open one with"):
            lock.acquire()


# ---- Lock


def test_a_lock_is_held_by_one(join: Join) -> None:
    mine, others = Lock(join(), "a"), Lock(join(), "a")
    with mine:
        assert mine.is_held()
        assert mine.holder() == others.holder() == mine.space.native.client.session
        assert others.try_acquire() is None
        with pytest.raises(TimeoutError):
            others.acquire(timeout=0)
    assert mine.holder() is None
    assert not mine.is_held()
    with others:
        assert others.is_held()
        assert not mine.is_held()


def test_the_fence_rises_with_every_holding(space: Space) -> None:
    """P16"""
    lock = Lock(space, "a")
    fences = [lock.acquire()]
    for _ in range(3):
        lock.release()
        fences.append(lock.acquire())
    assert fences == sorted(set(fences))
    assert lock.fence == fences[-1]


def test_locks_of_other_names_are_other_locks(space: Space) -> None:
    with Lock(space, "a"), Lock(space, "b") as second:
        assert second.fence == 1


def test_a_waiting_holder_gets_the_lock_when_it_is_released(join: Join) -> None:
    mine, others = Lock(join(), "a"), Lock(join(), "a")
    mine.acquire()
    waiting = Call(others.acquire)
    until_waiting(others.space, 1)
    mine.release()
    assert waiting.result() == 2


def test_a_lock_is_not_entered_twice_by_one_object(space: Space) -> None:
    lock = Lock(space, "a")
    with pytest.raises(RuntimeError, match="is not held by this object"):
        lock.release()
    with lock:
        with pytest.raises(RuntimeError, match="would wait for itself"):
            lock.acquire()
        assert repr(lock) == "<linden.recipes.Lock 'a' in space 'coordination', held, fence 1>"
    with pytest.raises(RuntimeError, match="is not held"):
        _ = lock.fence


def test_a_block_that_fails_releases_the_lock(space: Space) -> None:
    with pytest.raises(ZeroDivisionError), Lock(space, "a"):
        _ = 1 / 0
    assert Lock(space, "a").try_acquire() == 2


def test_p18_the_lock_of_a_lost_client_is_free(join: Join) -> None:
    mine, others = Lock(join(), "a"), Lock(join(), "a")
    fence = mine.acquire()
    waiting = Call(others.acquire)
    until_waiting(others.space, 1)
    lose(mine.space)
    assert waiting.result() > fence


HOLDER = """
import sys, linden
from linden.recipes import Lock, open_space
lock = Lock(open_space(linden.connect(sys.argv[1], hold=0.2)), "a")
print(lock.acquire(), flush=True)
sys.stdin.read()
"""


def test_p18_the_lock_of_a_killed_process_is_free(join: Join, space_server: Server) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, space_server.address], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        fence = int(holder.stdout.readline())
        lock = Lock(join(), "a")
        assert lock.try_acquire() is None
        holder.send_signal(signal.SIGKILL)
        assert lock.acquire(timeout=20) > fence


def test_who_has_lost_its_lock_is_told_at_the_end_of_the_block(space: Space) -> None:
    lock = Lock(space, "a")
    with pytest.raises(StaleLease), lock:
        _take_away(lock)
    with pytest.raises(ZeroDivisionError), lock:
        _ = _take_away(lock) or 1 / 0


def _take_away(lock: Lock) -> None:
    """As if the server had taken the holder for lost."""
    (row,) = lock.space.describe(("lock", lock.name))
    client = lock.space.native.client
    assert client.wait(lock.space.native.send_release([(row["id"], row["attempt"])])) == [0]
    assert not lock.is_held()


# ---- Semaphore


def test_a_semaphore_has_so_many_permits(join: Join) -> None:
    semaphore, others = Semaphore(join(), "s", 2), Semaphore(join(), "s", 2)
    with semaphore.acquire() as first, others.acquire() as second:
        assert {first.number, second.number} == {0, 1}
        assert others.try_acquire() is None
        assert others.available() == 0
        with pytest.raises(NoMatch):
            semaphore.acquire(timeout=0)
        first.release()
        assert others.available() == 1
    assert semaphore.available() == semaphore.permits == 2


def test_p18_the_permits_of_a_lost_client_come_back(join: Join) -> None:
    lost, semaphore = Semaphore(join(), "s", 2), Semaphore(join(), "s", 2)
    fences = {permit.number: permit.fence for permit in (lost.acquire(), lost.acquire())}
    lose(lost.space)
    again = [semaphore.acquire(timeout=20) for _ in range(2)]
    assert all(permit.fence > fences[permit.number] for permit in again)


# ---- Election


def test_one_candidate_leads_and_all_see_it(join: Join) -> None:
    ann, bob = Election(join(), "e", "ann"), Election(join(), "e", "bob")
    assert bob.leader() is None
    with ann:
        assert ann.leads()
        assert bob.try_lead() is None
        assert not bob.leads()
        assert bob.leader() == bob.wait_for_leader() == Leader(ann.term, "ann")
        waiting = Call(bob.lead)
        until_waiting(bob.space, 1)
    assert waiting.result() == 2
    assert ann.wait_for_leader(after=1) == Leader(2, "bob")
    bob.resign()
    assert ann.leader() is None
    with pytest.raises(RuntimeError):
        bob.resign()
    assert ann.try_lead() == 3


def test_p25_a_lost_leader_is_followed_by_another(join: Join) -> None:
    ann, bob, watcher = Election(join(), "e", "ann"), Election(join(), "e", "bob"), Election(join(), "e", "")
    term = ann.lead()
    waiting = Call(bob.lead)
    watching = Call(lambda: watcher.wait_for_leader(after=term))
    until_waiting(bob.space, 2)
    lose(ann.space)
    assert waiting.result() > term
    assert watching.result() == Leader(bob.term, "bob")
    assert watcher.leader() == Leader(bob.term, "bob")


def test_a_former_leader_that_wakes_up_is_not_taken_for_the_leader(join: Join) -> None:
    ann, bob = Election(join(), "e", "ann"), Election(join(), "e", "bob")
    ann.lead()
    ann.resign()
    bob.lead()
    ann.space.put(("leader", "e", 1, "ann"), priority=1, session=True)
    assert bob.leader() == Leader(2, "bob")


def test_open_space_may_be_called_by_everybody(space_server: Server) -> None:
    with linden.connect(space_server.address) as connection:
        assert open_space(connection).count(("recipe-seed",)) == 1
        assert open_space(connection).count(("recipe-seed",)) == 1
        assert open_space(connection, "mine", durability="memory").durability == "memory"
