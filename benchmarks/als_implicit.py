"""What `benchmarks.als` starts in an environment of its own: implicit's ALS on the same pairs."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

import numpy as np
from implicit.als import AlternatingLeastSquares
from scipy import sparse


def main() -> int:
    """Fit and rank, and write what it took and the factors.

    implicit does not scale the regularisation by the number of interactions: it gets that of the mean customer.
    """
    folder = Path(sys.argv[1])
    asked = json.loads((folder / "settings.json").read_text())
    pairs = sparse.load_npz(folder / "pairs.npz").tocsr()
    confidence = pairs.copy()
    confidence.data = 1 + asked["alpha"] * confidence.data
    model, warm_up = (
        AlternatingLeastSquares(
            factors=asked["rank"],
            regularization=asked["reg"] * pairs.nnz / pairs.shape[0],
            iterations=asked["iterations"],
            random_state=asked["seed"],
            num_threads=os.cpu_count(),
        )
        for _ in range(2)
    )
    warm_up.fit(confidence[:2000], show_progress=False)
    told: dict[str, float] = {}
    started, cpu = time.perf_counter(), time.process_time()
    model.fit(confidence, show_progress=False)
    told |= {"fit s": time.perf_counter() - started, "fit CPU s": time.process_time() - cpu}
    started, cpu = time.perf_counter(), time.process_time()
    model.recommend(np.arange(pairs.shape[0]), confidence, N=asked["k"], filter_already_liked_items=True)
    name = f"top {asked['k']}"
    told |= {f"{name} s": time.perf_counter() - started, f"{name} CPU s": time.process_time() - cpu}
    np.savez(folder / "factors.npz", customers=model.user_factors, products=model.item_factors)
    (folder / "told.json").write_text(json.dumps(told))
    return 0


if __name__ == "__main__":
    sys.exit(main())
