"""What is wrong with a bundle is one message with file and key, before a workspace sees it."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from databricks.sdk.service.jobs import JobSettings

from jobs.bundle import main
from jobs.deploy import check, shape
from jobs.deploy.bundle import Bundle
from lakehouse.errors import UsageError

ROOT = Path(__file__).resolve().parents[3]
TOP, JOBS, CATALOG = "databricks.yml", "conf/resources/jobs.yml", "conf/resources/catalog.yml"


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    for name in (TOP, "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path / name)
    shutil.copytree(ROOT / "conf", tmp_path / "conf")
    return tmp_path


def test_the_bundle_of_the_clone_is_in_order(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "--root", str(ROOT)]) == 0
    assert capsys.readouterr().out.startswith("The bundle is in order for dev, staging, prod: shoplake-daily (")


@pytest.mark.parametrize("target", check.TARGETS)
def test_databricks_reads_every_key_of_the_jobs(target: str) -> None:
    for key, told in Bundle.read(ROOT).resolved(target)["jobs"].items():
        assert JobSettings.from_dict(told).as_dict() == told, key


def test_targets_keep_apart_what_they_write() -> None:
    bundle = Bundle.read(ROOT)
    places = [
        job["job_clusters"][0]["new_cluster"]["spark_env_vars"]["SHOPLAKE_WAREHOUSE"]
        for target in check.TARGETS
        for job in bundle.resolved(target)["jobs"].values()
    ]
    assert len(set(places)) == len(check.TARGETS)


TASKS = "resources.jobs.daily.tasks"
CLUSTER = "resources.jobs.daily.job_clusters[0].new_cluster"
BROKEN: dict[str, tuple[str, str, str, str]] = {
    "an unknown key of a task": (
        JOBS,
        "max_retries: 1",
        "max_retry: 1",
        f"{TASKS}[0].max_retry: a Task has no such key",
    ),
    "a text for a number": (
        JOBS,
        "timeout_seconds: 7200",
        "timeout_seconds: 2h",
        "must be a whole number, and is '2h'",
    ),
    "a number for a text": (JOBS, 'OMP_NUM_THREADS: "1"', "OMP_NUM_THREADS: 1", "must be a text (in quotes), and is 1"),
    "an unknown value": (
        JOBS,
        "op: GREATER_THAN",
        "op: MORE",
        "resources.jobs.daily.health.rules[0].op: must be GREATER_THAN, and is 'MORE'",
    ),
    "a missing key": (
        JOBS,
        "            package_name: shoplake\n",
        "",
        f"{TASKS}[0].python_wheel_task: package_name is missing",
    ),
    "a time that is none": (
        JOBS,
        "0 0 3 * * ?",
        "0 0 25 * * ?",
        ".schedule.quartz_cron_expression: '0 0 25 * * ?' 25 ",
    ),
    "a time zone that is none": (
        JOBS,
        "UTC}",
        "Mars}",
        "jobs.daily.schedule.timezone_id: there is no time zone 'Mars'",
    ),
    "a task that waits for none": (
        JOBS,
        "depends_on: [{task_key: promote-silver}]",
        "depends_on: [{task_key: silver}]",
        f"{TASKS}: promote-gold depends on silver, which is no task of the job",
    ),
    "tasks that wait for each other": (
        JOBS,
        "depends_on: [{task_key: ingest-bronze}]",
        "depends_on: [{task_key: promote-gold}]",
        f"{TASKS}: they wait for each other: ",
    ),
    "a task that stands twice": (
        JOBS,
        "task_key: score-segment\n",
        "task_key: report\n",
        f"{TASKS}: report stands twice",
    ),
    "a cluster that is none": (
        JOBS,
        "job_cluster_key: main\n          libraries",
        "job_cluster_key: big\n          libraries",
        f"{TASKS}[0].job_cluster_key: there is no cluster big; there is main",
    ),
    "a command that is none": (
        JOBS,
        "[promote-gold]",
        "[promote-golds]",
        f"{TASKS}[2].python_wheel_task.parameters: shoplake has no command 'promote-golds'",
    ),
    "an option that is none": (
        JOBS,
        "[ingest-bronze, --input,",
        "[ingest-bronze, --inputs,",
        "parameters: shoplake ingest-bronze: No such option '--inputs'",
    ),
    "a family that is none": (
        JOBS,
        "[score, segment]",
        "[score, segments]",
        "parameters: shoplake score: Invalid value for '{",
    ),
    "a parameter that is none": (
        JOBS,
        "{{job.parameters.input}}",
        "{{job.parameters.folder}}",
        "parameters: the job has no parameter folder",
    ),
    "a program that is none": (
        JOBS,
        "entry_point: shoplake",
        "entry_point: main",
        f"{TASKS}[0].python_wheel_task: pyproject.toml has package shoplake with shoplake",
    ),
    "a wheel that nothing builds": (
        JOBS,
        "../../dist/*.whl",
        "../dist/*.whl",
        f"{TASKS}[0].libraries: whl ../dist/*.whl: no artifact of databricks.yml builds into that folder",
    ),
    "a file that is none": (
        JOBS,
        "{whl: ../../dist/*.whl}",
        "{requirements: ../../needs.txt}",
        f"{TASKS}[0].libraries: requirements ../../needs.txt: there is no such file",
    ),
    "nobody who is told": (
        JOBS,
        "on_failure:",
        "on_success:",
        "resources.jobs.daily.email_notifications: nobody is told on_failure",
    ),
    "no queue": (JOBS, "      queue: &queue {enabled: true}\n", "", "undefined alias 'queue'"),
    "no limit": (
        JOBS,
        "      timeout_seconds: 21600\n      health: &health",
        "      health: &health",
        "resources.jobs.daily: timeout_seconds missing, which a job that runs unattended needs",
    ),
    "other answers": (
        JOBS,
        'ansi.enabled: "true"',
        'ansi.enabled: "false"',
        f"{CLUSTER}.spark_conf: spark.sql.ansi.enabled is false, and true in conf/spark-defaults.conf",
    ),
    "an environment that is none": (
        JOBS,
        "SHOPLAKE_ENV: databricks",
        "SHOPLAKE_ENV: cloud",
        f"{CLUSTER}.spark_env_vars: --env cloud: there is no cloud.yaml",
    ),
    "a setting that is none": (
        JOBS,
        "SHOPLAKE_WAREHOUSE:",
        "SHOPLAKE_WAREHOSE:",
        f"{CLUSTER}.spark_env_vars: environment: unknown variables SHOPLAKE_WAREHOSE",
    ),
    "a Volume that is none": (
        JOBS,
        "shoplake/warehouse",
        "shoplake/tables",
        "warehouse: /Volumes/shoplake_dev/shoplake/tables is in no Volume of the bundle; it has /Volumes/",
    ),
    "experiments under other names": (
        JOBS,
        "/Shared/${var.catalog}-",
        "/Shared/",
        "runs are logged to /Shared/forecast, which is no experiment of the bundle",
    ),
    "a model in another schema": (
        JOBS,
        "${var.catalog}.shoplake.",
        "${var.catalog}.models.",
        "models are shoplake_dev.models.recommend-*, and none is declared",
    ),
    "a variable that is none": (
        CATALOG,
        "name: forecast-${var.shop}",
        "name: forecast-${var.shops}",
        "resources.registered_models.forecast: ${var.shops}: nothing is declared by that name",
    ),
    "a resource that is none": (
        CATALOG,
        "${resources.schemas.shoplake.name}",
        "${resources.schemas.main.name}",
        "resources.volumes.deliveries: ${resources.schemas.main.name}: nothing is declared by that name",
    ),
    "a kind that is none": (
        CATALOG,
        "  volumes:",
        "  volume:",
        "resources.volume.deliveries: unknown kind of resource",
    ),
    "a Volume of no kind": (CATALOG, "volume_type: MANAGED", "volume_type: OWN", "must be EXTERNAL or MANAGED"),
    "nothing at a name": (
        CATALOG,
        "  volumes:\n",
        "  volumes:\n  others:\n",
        "resources.volumes: must hold names",
    ),
    "another key beside resources": (
        CATALOG,
        "resources:",
        "variables: {}\nresources:",
        "resources are looked for here",
    ),
    "a cluster without a machine": (
        JOBS,
        "          new_cluster:\n",
        "          serverless_compute_id: x\n          others:\n",
        "resources.jobs.daily.job_clusters[0].others: a JobCluster has no such key",
    ),
    "what refers to itself": (
        TOP,
        "default: shop\n",
        "default: ${var.shop}\n",
        "variables.shop: what it refers to refers to itself",
    ),
    "an unknown key of the bundle": (TOP, "artifacts:", "artefacts:", "artefacts: there is no such key"),
    "a key that stands twice": (TOP, "  staging:", "  dev:", "dev stands twice (line "),
    "no YAML": (TOP, "bundle:", "bundle: [", "is not valid YAML: "),
    "an include of nothing": (TOP, "conf/resources/*.yml", "conf/jobs/*.yml", "include: no file is conf/jobs/*.yml"),
    "a target that is missing": (TOP, "  staging:", "  test:", "targets: staging missing"),
    "no default": (TOP, "    default: true\n", "", "targets: one must be the default, and none is"),
    "production as whoever deploys": (
        TOP,
        "    run_as:\n      service_principal_name: ${var.runner}\n    variables:\n      catalog: shoplake\n",
        "    variables:\n      catalog: shoplake\n",
        "targets.prod: production needs run_as and workspace.root_path",
    ),
    "a target without a value": (
        TOP,
        "      catalog: shoplake_dev\n",
        "      node_type: m5d.large\n",
        "targets.dev.variables: catalog has no default and needs a value",
    ),
    "a value of no variable": (
        TOP,
        "      catalog: shoplake_dev\n",
        "      catalog: shoplake_dev\n      schema: main\n",
        "targets.dev.variables.schema: no such variable is declared",
    ),
    "a variable that nothing uses": (
        TOP,
        "variables:\n",
        "variables:\n  region:\n    description: Where.\n    default: eu\n",
        "variables.region: nothing refers to it",
    ),
    "a permission for nobody": (
        TOP,
        "  - group_name: users\n    level",
        "  - level",
        "permissions[1]: needs one of group_name, service_principal_name and user_name",
    ),
}


@pytest.mark.parametrize("what", BROKEN)
def test_what_is_broken_is_one_message_with_file_and_key(what: str, bundle: Path) -> None:
    name, good, bad, message = BROKEN[what]
    text = (bundle / name).read_text()
    assert good in text
    (bundle / name).write_text(text.replace(good, bad, 1))
    with pytest.raises(UsageError) as refused:
        main(["check", "--root", str(bundle)])
    told = str(refused.value)
    assert refused.value.exit_code == 2
    assert message in told
    assert f"{bundle / name}" in told


def test_a_mistake_of_all_targets_is_told_once(bundle: Path) -> None:
    path = bundle / JOBS
    path.write_text(path.read_text().replace("[promote-gold]", "[promote-golds]"))
    (told,) = check.problems(bundle)
    assert told.startswith(f"{path}: {TASKS}[2].python_wheel_task.parameters: ")


def test_a_mistake_that_anchors_repeat_is_told_once(bundle: Path) -> None:
    path = bundle / JOBS
    path.write_text(path.read_text().replace("max_retries: 1", "max_retry: 1"))
    (told,) = check.problems(bundle)
    assert re.search(r"daily\.tasks\[0\]\.max_retry: a Task has no such key \(and at \d\d other places\)$", told)


def test_all_mistakes_are_told(bundle: Path) -> None:
    path = bundle / JOBS
    path.write_text(path.read_text().replace("[promote-gold]", "[promote-golds]").replace("0 0 3 *", "0 0 30 *"))
    with pytest.raises(UsageError, match=r"^the bundle has 2 problems:\n.*cron_expression: .*\n.*parameters: .*$"):
        main(["check", "--root", str(bundle)])


def test_a_resource_that_two_files_declare_is_refused(bundle: Path) -> None:
    (bundle / "conf" / "resources" / "more.yml").write_text("resources: {jobs: {daily: {name: other}}}\n")
    with pytest.raises(UsageError, match=r"more\.yml: resources\.jobs\.daily stands in .*jobs\.yml too"):
        check.problems(bundle)


def test_a_folder_without_a_bundle_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=rf"{tmp_path}/databricks\.yml: there is no such file; name the folder"):
        main(["check", "--root", str(tmp_path)])


def test_a_variable_comes_from_the_environment_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BUNDLE_VAR_catalog", "elsewhere")
    schema: dict[str, Any] = Bundle.read(ROOT).resolved("prod")["schemas"]["shoplake"]
    assert schema["catalog_name"] == "elsewhere"


def test_the_sdk_forgets_what_the_shape_refuses() -> None:
    told = {"name": "x", "tasks": [{"task_key": "a", "retries": 1}]}
    assert JobSettings.from_dict(told).as_dict() == {"name": "x", "tasks": [{"task_key": "a"}]}
    assert list(shape.wrong(told, shape.of_resources()["jobs"], "job")) == [
        "job.tasks[0].retries: a Task has no such key"
    ]
