"""A loop runs on an engine; meanwhile its user looks at it, turns its knobs, and ends it.

Shows tuples between a client and a running task: the loop puts how far it is, and takes what it is told.
"""

import linden


def cool_down(address: str, temperature: float, rate: float) -> list[float]:
    """Cools towards 0 until told to stop; each tenth step it tells how far it is, and after each it looks for a word."""
    import time

    import linden

    history = [temperature]
    with linden.connect(address) as connection:
        space = connection.space("steering")
        while True:
            time.sleep(0.005)  # stands for the work of a step
            temperature *= 1 - rate
            history.append(temperature)
            if len(history) % 10 == 0:
                space.put(("progress", len(history), temperature), ttl=60)
            word = space.try_take(("steer", str, float))
            if word is not None and word[1] == "stop":
                return history
            if word is not None and word[1] == "heat":
                temperature += word[2]
            if word is not None and word[1] == "rate":
                rate = word[2]


def main() -> list[float]:
    with linden.start(1) as rc:
        space = rc.connection.space("steering", create=True)
        result = rc.load_balanced_view().apply_async(cool_down, rc.info.address, 100.0, 0.01)
        for order in [("steer", "rate", 0.02), ("steer", "heat", 200.0), ("steer", "stop", 0.0)]:
            _, step, temperature = space.take(("progress", int, float), timeout=30)
            print(f"step {step}: {temperature:.1f} degrees; now {order[1]} {order[2]:g}")
            space.put(order)
        history = result.get(timeout=30)
    print(
        f"the loop ended after {len(history)} steps, at {history[-1]:.1f} degrees; the highest was {max(history):.1f}"
    )
    return history


if __name__ == "__main__":
    main()
