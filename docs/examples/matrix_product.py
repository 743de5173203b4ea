"""A matrix product by scatter and gather: each engine has some rows of A and all of B.

Shows scatter, push, execute and gather of a DirectView.  The right factor is large and the same for all, so it is put once.
"""

import linden
import numpy as np


def main(engines: int = 4, size: int = 400) -> float:
    rng = np.random.default_rng(1)
    a, b = rng.random((size, size)), rng.random((size, size))
    with linden.start(engines) as rc:
        view = rc[:]
        view.block = True
        view.scatter("a", a)  # blocks of rows, one per engine
        view.push({"b": b})
        view.execute("c = a @ b")
        print("shapes on the engines:", view.apply(lambda part: part.shape, linden.Reference("c")))
        product = view.gather("c")
    difference = float(abs(product - a @ b).max())
    print(f"largest difference from the product at home: {difference:.1e}")
    return difference


if __name__ == "__main__":
    main()
