"""Two people work on one computation: each submits a part, and each fetches the other's results.

Shows results that belong to the farm and not to their client: who knows their ids can fetch them, from any process, also after
whoever submitted them has gone.  Here Bob is a second process; he could as well sit at another machine.
"""

import subprocess
import sys

import linden


def square(x: int) -> int:
    return x * x


def alice() -> int:
    """Starts the cluster, computes the even squares, and adds Bob's odd ones to them."""
    with linden.start(2) as rc:
        board = rc.connection.space("board", create=True)  # where the two leave notes for each other
        mine = rc.load_balanced_view().map_async(square, range(0, 10, 2))
        board.put(("submitted", "alice", mine.msg_ids))
        friend = subprocess.Popen([sys.executable, __file__, str(rc.cluster.connection_file)])
        _, _, ids = board.read(("submitted", "bob", list), timeout=60)
        bobs = rc.get_result(ids).get(timeout=60)
        friend.wait(60)
        total = sum(mine.get()) + sum(bobs)
        print(f"alice: bob's squares are {bobs}, the sum of all is {total}")
    return total


def bob(connection_file: str) -> None:
    """Joins the cluster, submits the odd squares, looks at Alice's results, and goes home."""
    with linden.Client(connection_file) as rc:
        board = rc.connection.space("board")
        odd = rc.load_balanced_view().map_async(square, range(1, 10, 2))
        board.put(("submitted", "bob", odd.msg_ids))
        _, _, ids = board.read(("submitted", "alice", list), timeout=60)
        print(f"bob: alice's squares are {rc.get_result(ids).get(timeout=60)}", flush=True)


if __name__ == "__main__":
    bob(sys.argv[1]) if sys.argv[1:] else alice()
