"""A private S3 server, SeaweedFS. It checks signatures."""

import json
import socket
import subprocess
import sysconfig
from datetime import timedelta
from pathlib import Path

import obstore
import requests
from obstore.store import S3Store

from chatapp.files.bucket import Bucket
from tests.harness.ports import free_port
from tests.harness.waiting import eventually, scaled

ACCESS_KEY, SECRET_KEY, BUCKET, REGION = "chatapp", "a secret key of the tests", "files", "eu-test-1"

SOCKETS = Path("/tmp")  # noqa: S108 - It does not depend on TMPDIR.
"""Folder in which SeaweedFS creates its sockets."""

SERVICES = ("s3", "master", "volume", "filer")


class S3:
    """An S3 server on free ports, with one bucket. Its objects are in a folder.

    It needs many seconds to start again after a kill: let a `Proxy` refuse connections instead.
    """

    def __init__(self, folder: Path) -> None:
        binary = Path(sysconfig.get_path("scripts")) / "weed"
        assert binary.exists(), "SeaweedFS is not installed: run bin/setup --dev"
        self._binary = binary
        self._folder = folder
        self._ports = {name: free_port() for service in SERVICES for name in (service, f"{service}.grpc")}
        self._process: subprocess.Popen[bytes] | None = None
        self.endpoint = f"http://127.0.0.1:{self._ports['s3']}"

    def start(self) -> None:
        """Start, and wait until the bucket can be used."""
        identity = {
            "name": "chatapp",
            "credentials": [{"accessKey": ACCESS_KEY, "secretKey": SECRET_KEY}],
            "actions": ["Admin", "Read", "Write", "List"],
        }
        config = self._folder / "s3.json"
        config.write_text(json.dumps({"identities": [identity]}))
        data = self._folder / "objects"
        data.mkdir(exist_ok=True)
        options = [
            f"-dir={data}",
            "-ip=127.0.0.1",
            "-ip.bind=127.0.0.1",
            "-s3",
            f"-s3.config={config}",
            "-s3.iam=false",
            "-s3.port.iceberg=0",
            "-s3.port.lance=0",
        ]
        options += [
            "-master.telemetry=false",
            "-master.volumeSizeLimitMB=64",
            "-volume.max=16",
            "-volume.minFreeSpace=0",
        ]
        for service in SERVICES:
            options.append(f"-{service}.port={self._ports[service]}")
            options.append(f"-{service}.port.grpc={self._ports[f'{service}.grpc']}")
        with (self._folder / "s3.log").open("ab") as log:
            command = [str(self._binary), "-logtostderr=true", "server", *options]
            self._process = subprocess.Popen(command, cwd=self._folder, stdout=log, stderr=log)
        eventually(self._listens, "the S3 server listens", timeout=30)
        eventually(self._make_bucket, "the S3 server has its bucket", timeout=30)
        eventually(self._stores, "the S3 server stores objects", timeout=30)

    def connect(
        self, *, endpoint: str = "", bucket: str = BUCKET, secret_key: str = SECRET_KEY, prefix: str = ""
    ) -> Bucket:
        """Return a client of the bucket, by default without a proxy."""
        return Bucket(
            bucket,
            endpoint=endpoint or self.endpoint,
            region=REGION,
            access_key=ACCESS_KEY,
            secret_key=secret_key,
            prefix=prefix,
        )

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(timeout=scaled(15))
        for name, port in self._ports.items():  # It has created these whatever its options are, and leaves them.
            (SOCKETS / f"seaweedfs-{name.replace('.', '-')}-{port}.sock").unlink(missing_ok=True)

    def _listens(self) -> bool:
        assert self._process is not None
        if self._process.poll() is not None:
            raise AssertionError(f"the S3 server ended:\n{(self._folder / 's3.log').read_text()[-2000:]}")
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self._ports["s3"])) == 0

    def _make_bucket(self) -> bool:
        # obstore creates no buckets, but it signs the URL of any request.
        store = S3Store(
            BUCKET,
            endpoint=self.endpoint,
            region=REGION,
            access_key_id=ACCESS_KEY,
            secret_access_key=SECRET_KEY,
            client_options={"allow_http": True},
        )
        url = obstore.sign(store, "PUT", "", timedelta(minutes=1))
        return requests.put(url, timeout=scaled(5)).status_code in {200, 409}

    def _stores(self) -> bool:
        probe, bucket = self._folder / "probe", self.connect()
        probe.write_bytes(b"probe")
        try:
            bucket.put(probe, "probe")
            bucket.delete("probe")
        except OSError:
            return False
        return True
