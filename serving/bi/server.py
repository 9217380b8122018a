"""Spark's Thrift server over a release: the views by JDBC and ODBC, for who knows the password, to read and no more.

The server runs in the session's JVM. Each release has a catalog of its own, and a connection keeps the one that it
found when it was opened: no query sees half of a run, and a new release interrupts nobody.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from py4j.protocol import Py4JError
from pyspark.errors import PySparkException

from lakehouse.accounts import releases
from lakehouse.accounts.releases import Release
from lakehouse.declare.table import Table
from lakehouse.errors import LakehouseError, UsageError
from lakehouse.store.damage import found_by_spark
from lakehouse.store.lake import Lake
from serving.bi.access import users_file
from serving.bi.views import SCHEMAS, View, views

SETTINGS = {
    "spark.driver.memory": "2g",
    "spark.scheduler.mode": "FAIR",  # a short question does not wait for a long extract
    "spark.sql.thriftServer.incrementalCollect": "true",  # an extract is not held in memory as a whole
}
"""Spark's settings for a process that serves."""
IDLE = "15min"
"""A connection that asks nothing for so long is closed, so that pools of connections do not stay at an old release."""
_HERE = Path(__file__).resolve().parent
_TELLS_CLIENTS = ("org.apache.hive.service", "org.apache.spark.sql.hive.thriftserver", "org.apache.thrift")


class Server:
    """The server of a warehouse at an address; `views` are those that a new connection sees, of `release`.

    `tables` are those that may be shown; what the release does not name is not. Port 0 takes a free one. Raises
    `UsageError` where nothing was released yet or the port is in use.
    """

    views: list[View]
    release: Release

    def __init__(self, lake: Lake, tables: Iterable[Table], host: str = "127.0.0.1", port: int = 10000) -> None:
        newest = releases.readable(lake)
        self.lake, self.host, self.port = lake, host, _free(host, port)
        self._tables = list(tables)
        self._jvm: Any = lake.spark._jvm
        self._guard, self._authenticator = self._made("Guard"), self._made("Authenticator")
        session = self._catalog_of(newest)
        self._server = self._started(session)
        self._sessions = _service(_service(self._server, "SparkSQLCLIService"), "SparkSQLSessionManager")

    def follow(self) -> bool:
        """Show a newer release to new connections, if there is one; whether there was.

        Raises `LakehouseError` where it cannot be read; connections go on to see the one before.
        """
        newest = releases.newest(self.lake)
        if newest is None or newest.versions == self.release.versions:
            return False
        session = self._catalog_of(newest)
        # The session of which the server makes those of its clients; it has no other way to be told another one.
        field = self._sessions.getClass().getDeclaredField("sparkSession")
        field.setAccessible(True)
        field.set(self._sessions, session)
        return True

    def stop(self) -> None:
        """Close all connections and the port."""
        self._server.stop()

    def _catalog_of(self, release: Release) -> Any:
        """A session with a catalog of its own that holds the views of a release; those made of it are guarded."""
        options = self._jvm.java.util.HashMap()
        options.put("spark.sql.variable.substitute", "false")  # '${env:...}' would tell the server's environment
        session = self._jvm.org.apache.spark.sql.classic.SparkSession(self.lake.spark.sparkContext._jsc.sc(), options)
        with self._found_by_name():
            session.sharedState().jarClassLoader()  # made by its first use, and given to threads that serve
        made = views(self.lake, self._tables, release)
        try:
            for schema, meaning in SCHEMAS.items():
                session.sql(f"CREATE SCHEMA {schema} COMMENT '{meaning}'")
            for view in made:
                session.sql(view.ddl)
        except (Py4JError, PySparkException) as error:
            raise found_by_spark(self.lake, error) or LakehouseError(
                f"the release of {release.at:%Y-%m-%d %H:%M:%S} UTC cannot be shown: {str(error).splitlines()[0]}"
            ) from error
        self._guard.watch(session.extensions())
        self.views, self.release = made, release
        return session

    def _started(self, session: Any) -> Any:
        """The running server. Its settings are the JVM's: Hive reads them where it makes what asks for a password."""
        configurator = self._jvm.org.apache.logging.log4j.core.config.Configurator
        for name in _TELLS_CLIENTS:  # what a client does wrong, it is told itself
            configurator.setLevel(name, self._jvm.org.apache.logging.log4j.Level.OFF)
        settings = {
            "hive.server2.authentication": "CUSTOM",
            "hive.server2.custom.authentication.class": self._authenticator.getClass().getName(),
            "hive.server2.thrift.bind.host": self.host,
            "hive.server2.thrift.port": str(self.port),
            "hive.server2.session.check.interval": "1min",
            "hive.server2.idle.session.timeout": IDLE,
            "hive.server2.logging.operation.enabled": "false",
            "shoplake.bi.users": str(users_file(self.lake)),
        }
        for key, value in settings.items():
            self._jvm.System.setProperty(key, value)
        with self._found_by_name():
            server = self._jvm.org.apache.spark.sql.hive.thriftserver.HiveThriftServer2.startWithSparkSession(
                session, False
            )
        _wait_for(self.host, self.port)
        return server

    @contextmanager
    def _found_by_name(self) -> Iterator[None]:
        """Threads and loaders that are made meanwhile find the class that asks for a password by its name."""
        thread = self._jvm.Thread.currentThread()
        before = thread.getContextClassLoader()
        thread.setContextClassLoader(self._authenticator.getClass().getClassLoader())
        try:
            yield
        finally:
            thread.setContextClassLoader(before)

    def _made(self, name: str) -> Any:
        """An object of a class that lies here as Java's source, compiled by what Spark compiles its own code with."""
        compiler = self._jvm.org.codehaus.janino.SimpleCompiler()
        compiler.setParentClassLoader(self._jvm.Thread.currentThread().getContextClassLoader())
        compiler.cook((_HERE / f"{name}.java").read_text())
        found = compiler.getClassLoader().loadClass(f"shoplake.{name}")
        gateway: Any = self.lake.spark.sparkContext._gateway
        nothing = gateway.new_array(self._jvm.Class, 0), gateway.new_array(self._jvm.Object, 0)
        return found.getDeclaredConstructor(nothing[0]).newInstance(nothing[1])


def _service(composite: Any, name: str) -> Any:
    return next(service for service in composite.getServices() if service.getClass().getSimpleName() == name)


def _free(host: str, port: int) -> int:
    """The port, or a free one for 0."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise UsageError(
                f"--port {port}: cannot listen at {host}:{port} ({error.strerror}); choose another"
            ) from error
        return int(probe.getsockname()[1])


def _wait_for(host: str, port: int, seconds: float = 60) -> None:
    """Return when somebody listens at a port."""
    until = time.monotonic() + seconds
    while True:
        try:
            socket.create_connection((host, port), timeout=1).close()
            return
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.1)
