"""Recipes by which something passes from one to another, against a real server: counter, barrier, queue, bag, rendezvous."""

import pytest
from linden import NoMatch, Space, StaleLease
from linden.recipes import Bag, Barrier, Counter, GaveUp, Queue, Rendezvous
from recipes_support import Call, Join, lose, until_waiting
from recipes_support import join as join
from recipes_support import space as space

# ---- Counter


def test_a_counter_loses_no_addition(join: Join) -> None:
    counters = [Counter(join(), "c") for _ in range(4)]
    calls = [Call(lambda counter=counter: [counter.add() for _ in range(50)]) for counter in counters]  # type: ignore[misc]
    seen = [value for call in calls for value in call.result()]
    assert sorted(seen) == list(range(1, 201))
    assert counters[0].value() == 200


def test_a_counter_is_set_and_stays_within_64_bits(space: Space) -> None:
    counter = Counter(space, "c")
    assert counter.set(2**63 - 1) == 0
    with pytest.raises(OverflowError):
        counter.add(timeout=5)
    assert counter.value(timeout=0) == 2**63 - 1
    assert counter.add(-(2**63 - 1)) == 0


def test_p18_who_is_lost_in_an_addition_has_added_nothing(join: Join) -> None:
    lost, counter = join(), Counter(join(), "c")
    counter.add(7)
    lost.reserve(("counter", "c", int))
    adding = Call(lambda: counter.add(1, timeout=20))
    until_waiting(counter.space, 1)
    lose(lost)
    assert adding.result() == 8


# ---- Barrier


def test_nobody_passes_before_all_have_arrived_again_and_again(join: Join) -> None:
    barriers = [Barrier(join(), "b", 3) for _ in range(3)]
    for generation in range(3):
        early = [Call(barrier.wait) for barrier in barriers[:2]]
        until_waiting(barriers[0].space, 2)
        assert barriers[2].waiting() == 2
        assert barriers[2].wait() == generation
        assert [call.result() for call in early] == [generation] * 2
    assert barriers[0].waiting() == 0
    assert barriers[0].space.count(("barrier-arrival", str, int, str)) == 0


def test_who_gives_up_has_not_arrived(join: Join) -> None:
    first, second = Barrier(join(), "b", 2), Barrier(join(), "b", 2)
    with pytest.raises(NoMatch):
        first.wait(timeout=0)
    assert second.waiting() == 0
    with pytest.raises(TimeoutError):
        second.wait(timeout=0.01)
    waiting = Call(first.wait)
    until_waiting(first.space, 1)
    assert second.wait() == 0
    assert waiting.result() == 0


def test_p25_who_is_lost_at_the_barrier_has_not_arrived(join: Join) -> None:
    lost, barrier = Barrier(join(), "b", 2), Barrier(join(), "b", 2)
    waiting = Call(lost.wait)
    until_waiting(barrier.space, 1)
    lose(lost.space)
    with pytest.raises(Exception, match="closed"):
        waiting.result()
    while barrier.waiting():
        pass
    with pytest.raises(NoMatch):
        barrier.wait(timeout=0)


# ---- Queue


def test_a_queue_is_first_in_first_out(join: Join) -> None:
    queue, others = Queue(join(), "q"), Queue(join(), "q")
    for item in (1, "two", {"three": 3}):
        queue.put(item)
    assert len(others) == 3
    assert [others.get() for _ in range(3)] == [1, "two", {"three": 3}]
    with pytest.raises(NoMatch):
        others.get(timeout=0)
    assert queue.bound is None


def test_a_full_queue_waits_for_room(join: Join) -> None:
    queue, others = Queue(join(), "q", 2), Queue(join(), "q", 2)
    queue.put(1)
    queue.put(2)
    with pytest.raises(TimeoutError):
        queue.put(3, timeout=0)
    putting = Call(lambda: queue.put(3))
    until_waiting(others.space, 1)
    assert others.get() == 1
    putting.result()
    assert [others.get(), others.get()] == [2, 3]
    assert queue.space.count(("queue-slot", "q", int)) == 2


@pytest.mark.parametrize("bound", [None, 3])
def test_an_item_that_could_not_be_done_keeps_its_place(space: Space, bound: int | None) -> None:
    queue = Queue(space, "q", bound)
    queue.put("a")
    queue.put("b")
    with pytest.raises(ZeroDivisionError), queue.receive() as delivery:
        _ = 1 / 0
    with queue.receive() as delivery:
        assert (delivery.item, delivery.attempt) == ("a", 2)
    with pytest.raises(StaleLease):
        delivery.done()
    with queue.receive() as delivery:
        assert delivery.item == "b"
        delivery.put_back()
    assert queue.get() == "b"
    assert len(queue) == 0


def test_p18_the_item_of_a_lost_client_is_back_and_so_is_its_slot(join: Join) -> None:
    lost, queue = Queue(join(), "q", 2), Queue(join(), "q", 2)
    queue.put("a")
    queue.put("b")
    assert lost.receive().item == "a"
    lost.receive()
    lose(lost.space)
    assert [queue.get(timeout=20), queue.get(timeout=20)] == ["a", "b"]
    assert queue.space.count(("queue-slot", "q", int)) == 2


def test_a_queue_has_a_sensible_bound(space: Space) -> None:
    with pytest.raises(ValueError, match="bound is 0"):
        Queue(space, "q", 0)


# ---- Bag


def test_a_bag_gives_each_task_its_result(join: Join) -> None:
    bag, worker = Bag(join(), "b"), Bag(join(), "b")
    first = bag.add(3)
    others = bag.add_many([4, 5])
    urgent = bag.add(6, priority=1)
    assert len(worker) == 4
    bodies = []
    for _ in range(4):
        with worker.work() as work:
            bodies.append(work.body)
            work.finish(work.body**2)
    assert bodies == [6, 3, 4, 5]
    assert bag.result(first) == 9
    assert dict(bag.results(3, timeout=5)) == {urgent: 36, others[0]: 16, others[1]: 25}
    assert bag.add_many([]) == []
    with pytest.raises(NoMatch):
        worker.work(timeout=0)


def test_a_task_may_put_others_in_the_same_step(space: Space) -> None:
    bag = Bag(space, "b")
    bag.add("whole")
    with bag.work() as work:
        parts = [bag.task(part) for part in ("left", "right")]
        work.finish(None, [task for _, task in parts])
    with bag.work() as work:
        assert (work.id, work.body) == (parts[0][0], "left")
    assert len(bag) == 2


def test_p19_a_task_that_no_worker_finishes_is_given_up(space: Space) -> None:
    bag = Bag(space, "b", attempts=2)
    task = bag.add("poison")
    for attempt in (1, 2):
        with pytest.raises(ZeroDivisionError), bag.work(timeout=5) as work:
            _ = 1 / 0
        assert work.attempt == attempt
    with pytest.raises(GaveUp, match="was begun 2 times"):
        bag.result(task, timeout=5)
    with pytest.raises(ValueError, match="attempts is 0"):
        Bag(space, "b", attempts=0)


def test_p17_p18_the_task_of_a_lost_worker_is_back_and_its_late_result_is_refused(join: Join) -> None:
    bag, lost, worker = Bag(join(), "b"), Bag(join(), "b"), Bag(join(), "b")
    task = bag.add("x")
    lost.work()
    lose(lost.space)
    work = worker.work(timeout=20)
    assert work.attempt == 2
    work.put_back()
    with worker.work() as again:
        with pytest.raises(StaleLease):
            work.finish("late")
        again.finish("right")
    assert bag.result(task) == "right"


# ---- Rendezvous


def test_two_meet_and_swap(join: Join) -> None:
    ann, bob = Rendezvous(join(), "r"), Rendezvous(join(), "r")
    for turn in range(3):
        waiting = Call(lambda turn=turn: ann.meet(("ann", turn)))  # type: ignore[misc]
        until_waiting(bob.space, 1)
        assert bob.meet(("bob", turn)) == ("ann", turn)
        assert waiting.result() == ("bob", turn)


def test_many_meet_in_pairs(join: Join) -> None:
    calls = [Call(lambda number=number: Rendezvous(join(), "r").meet(number, timeout=30)) for number in range(8)]  # type: ignore[misc]
    met = [call.result() for call in calls]
    assert sorted(met) == list(range(8))
    assert all(met[met[number]] == number for number in range(8))


def test_who_waits_in_vain_is_met_by_nobody(join: Join) -> None:
    ann, bob = Rendezvous(join(), "r"), Rendezvous(join(), "r")
    with pytest.raises(TimeoutError):
        ann.meet("ann", timeout=0.01)
    with pytest.raises(TimeoutError):
        bob.meet("bob", timeout=0)


def test_who_is_being_met_when_its_time_is_over_waits_for_the_answer(join: Join) -> None:
    """The other one has reserved the offer, and is lost or not before it answers."""
    ann, bob = Rendezvous(join(), "r"), join()
    for answers in (True, False):
        reserving = Call(lambda: bob.reserve(("rendezvous-offer", "r", str, str, str)))
        until_waiting(bob, 1)
        waiting = Call(lambda: ann.meet("ann", timeout=0))
        offer = reserving.result()
        until_waiting(bob, 1)
        if answers:
            offer.finish([("rendezvous-answer", "r", offer.tuple[2], "bob")])
            assert waiting.result() == "bob"
        else:
            offer.release()
            with pytest.raises(NoMatch):
                waiting.result()


def test_p25_who_is_lost_while_it_waits_is_met_by_nobody(join: Join) -> None:
    lost, bob = Rendezvous(join(), "r"), Rendezvous(join(), "r")
    Call(lost.meet)
    until_waiting(bob.space, 1)
    lose(lost.space)
    while bob.space.count(("rendezvous-offer", "r", str, str, None)):
        pass
    with pytest.raises(NoMatch):
        bob.meet("bob", timeout=0)
