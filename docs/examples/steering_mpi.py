"""An MPI program runs on four engines; meanwhile its user looks at it, changes its course, and ends it.

Shows engines that are ranks of MPI, under one client with other work, and tuples between a client and a running program.
Needs an MPI (Debian: openmpi-bin) and mpi4py; within an allocation of Slurm, srun starts the ranks.
"""

import linden

RANKS = 4


def heat(address: str, cells: int) -> list[float]:
    """Each rank has a part of a rod whose left end is heated; borders are exchanged by MPI after each step.

    Rank 0 tells how far they are, and takes what it is told; all ranks hear of it at the same step.
    """
    import linden
    import numpy as np
    from mpi4py import MPI

    world = MPI.COMM_WORLD
    left, right = world.rank - 1, world.rank + 1
    rod = np.zeros(cells + 2)  # with a cell of each neighbour
    source, step = 100.0, 0
    connection = linden.connect(address) if world.rank == 0 else None
    space = connection.space("steering") if connection else None
    while True:
        if left >= 0:
            rod[0] = world.sendrecv(rod[1], left, source=left)
        else:
            rod[0] = source
        if right < world.size:
            rod[-1] = world.sendrecv(rod[-2], right, source=right)
        rod[1:-1] += 0.25 * (rod[:-2] - 2 * rod[1:-1] + rod[2:])
        step += 1
        word = None
        if step % 100 == 0:
            total = world.reduce(float(rod[1:-1].sum()))
            if space is not None:
                space.put(("progress", step, total), ttl=60)
                word = space.try_take(("steer", str, float))
            word = world.bcast(word)
        if word is not None and word[1] == "stop":
            if connection is not None:
                connection.close()
            return [float(value) for value in rod[1:-1]]
        if word is not None and word[1] == "source":
            source = word[2]


def main() -> float:
    with linden.Cluster(RANKS, engines="mpi") as rc:
        ranks = rc.mpi_views()[0]
        space = rc.connection.space("steering", create=True)
        result = ranks.apply_async(heat, rc.info.address, 50)
        hottest = 0.0
        for order in [("steer", "source", 500.0), ("steer", "source", 0.0), ("steer", "stop", 0.0)]:
            _, step, total = space.take(("progress", int, float), timeout=60)
            hottest = max(hottest, total)
            print(f"step {step}: {total:.0f} in the rod; now {order[1]} {order[2]:g}")
            space.put(order)
        parts = result.get(timeout=60)
    print(f"{len(parts)} ranks, {sum(map(len, parts))} cells, {sum(map(sum, parts)):.0f} in the rod at the end")
    return hottest


if __name__ == "__main__":
    main()
