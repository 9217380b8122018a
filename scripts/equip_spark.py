"""Puts Delta's JARs beside Spark's own. scripts/setup runs it with `spark-submit --packages`, which downloads them.

Spark hands downloaded JARs to Python on sys.path. Only Delta's own are taken: what they depend on, Spark brings.
"""

import os
import shutil
import sys
from pathlib import Path

FAMILIES = ("delta-", "unitycatalog-")

target = Path(os.environ["SPARK_HOME"], "jars")
# Ivy names a file group_artifact-version.jar.
fetched = {path.name.split("_", 1)[1]: path for path in map(Path, sys.path) if path.suffix == ".jar"}
wanted = {name: path for name, path in fetched.items() if name.startswith(FAMILIES)}
if not wanted:
    sys.exit("no JARs of Delta on sys.path: run this through scripts/setup")
for old in target.glob("*.jar"):
    if old.name.startswith(FAMILIES) and old.name not in wanted:
        old.unlink()
for name, path in wanted.items():
    shutil.copy(path, target / name)
