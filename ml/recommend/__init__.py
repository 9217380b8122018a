"""Recommendations: what each customer will buy next, again or for the first time. The heart without Spark or MLflow.

`History` is what a shop knows at a cutoff; `hybrid.train` learns from rolling cutoffs of it, `Hybrid.recommend`
answers.
"""
