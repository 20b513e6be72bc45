"""Kafka 4.1.1: its jars from the Maven registry on a wheel's Java, one node that is broker and controller."""

import socket
import struct
import subprocess
from pathlib import Path

from deploy.embedded.downloads import JAVA_OPTIONS, cached, fetch_jars, java
from deploy.embedded.errors import StackError
from deploy.embedded.servers.base import Command, Server, environment

VERSION = "4.1.1"
ARTIFACTS = [f"org.apache.kafka:kafka_2.13:{VERSION}", "org.slf4j:slf4j-simple:1.7.36"]
TOPIC = "plexica.events"
CLUSTER_ID = "cGxleGljYS1lbWJlZGRlZA"
PROBE_TIMEOUT_S = 3
API_VERSIONS = 18  # the number of the protocol's first question
CONFIGURATION = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{kafka},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{kafka}
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
log.dirs={folder}/data
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
auto.create.topics.enable=false
"""


class Kafka(Server):
    name = "kafka"
    title = "Kafka"
    port_names = ("kafka", "controller")
    start_timeout_s = 90

    @property
    def program(self) -> Path:
        return java()

    @property
    def _configuration(self) -> Path:
        return self.folder / "server.properties"

    def version(self) -> str:
        return VERSION

    def prepare(self) -> None:
        super().prepare()
        self._configuration.write_text(
            CONFIGURATION.format_map({**self.ports, "folder": self.folder}), encoding="utf-8"
        )
        self._classpath()
        if not (self.folder / "data" / "meta.properties").exists():
            self._format()

    def _format(self) -> None:
        words = f"kafka.tools.StorageTool format --config {self._configuration.name} --cluster-id {CLUSTER_ID}"
        formatted = subprocess.run(
            [self.program, *self._java_options("128m"), *words.split()],
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if formatted.returncode:
            self.log.parent.mkdir(parents=True, exist_ok=True)
            self.log.write_text(formatted.stdout + formatted.stderr, encoding="utf-8")
            raise StackError(f"Kafka could not lay out its data (see {self.tree.shorten(self.log)}).")

    def command(self) -> Command:
        return Command([self.program, *self._java_options("512m"), "kafka.Kafka", self._configuration], environment())

    def why_not_ready(self) -> str | None:
        # length, which question, its version, a number that comes back with the answer, no client id
        question = struct.pack(">ihhih", 10, API_VERSIONS, 0, 4711, -1)
        try:
            with socket.create_connection(("127.0.0.1", self.port), PROBE_TIMEOUT_S) as connection:
                connection.sendall(question)
                answer = connection.recv(10)
        except OSError as error:
            return str(error)
        if len(answer) < 10:
            return "no answer"
        _, number, error_code = struct.unpack(">iih", answer)
        return None if (number, error_code) == (4711, 0) else f"error {error_code}"

    def settings(self) -> dict[str, str]:
        return {"PLEXICA_BUS_URL": f"kafka://{self.address}/{TOPIC}"}

    def _java_options(self, memory: str) -> list[str]:
        quiet = "-Dorg.slf4j.simpleLogger.showDateTime=true"
        return [f"-Xmx{memory}", *JAVA_OPTIONS, quiet, "-cp", self._classpath()]

    def _classpath(self) -> str:
        return str(cached(f"kafka-{VERSION}", lambda folder: fetch_jars(ARTIFACTS, folder)) / "*")
