"""Runs a pool's user script on the node and reports how it went; `runner.py pre|post`.

This file is data: it travels to the nodes in user data and runs there on Python's standard
library (which cloud-init brings along). Any change of it replaces every node of every pool that
has a user script; the golden files of the tests hold it still.

`pre` runs in cloud-init, before kubeadm, and always succeeds: what a failure means is decided
where the report is read. `post` runs as a service once the kubelet has its credential, with which
it reports. A run that was begun is never repeated, whatever kills this program in between.

What a script cannot see, because it is not on the disk while it runs: the bootstrap token and the
user data that holds it. They are taken off the disk and kept in this process; copies that
cloud-init does not need again are removed. The instance metadata, which would hand out the user
data once more, cannot be reached meanwhile. The kubelet's credential, which must stay where it
is, and the config drive are covered in the script's own view of the file system; everything that
the script mounts is seen by the node. A script runs as root and could undo that: it is the
node's owner's. This keeps secrets out of the logs, archives and uploads of honest scripts.
"""

from __future__ import annotations

import base64
import contextlib
import glob
import gzip
import http.client
import json
import os
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

HERE = Path("/var/lib/vks/user-script")
KUBELET_CONFIG = Path("/etc/kubernetes/kubelet.conf")
KUBELET_CREDENTIAL = Path("/var/lib/kubelet/pki/kubelet-client-current.pem")
#: Needed again by kubeadm: put back when the script has ended.
KEPT = ("/run/kubeadm/*",)
#: Copies of the user data that nothing reads again on this boot.
COPIES = (
    "/var/lib/cloud/instances/*/user-data.txt*",
    "/var/lib/cloud/instances/*/cloud-config.txt",
    "/var/lib/cloud/instances/*/combined-cloud-config.json",
    "/var/lib/cloud/instances/*/obj.pkl",
    "/var/lib/cloud/seed/*/openstack/*/user_data",
    "/var/lib/cloud/seed/nocloud*/user-data",
    "/run/cloud-init/*sensitive*.json",
    "/run/cloud-init/combined-cloud-config.json",
)
COVERED = ("/var/lib/kubelet/pki", "/dev/disk/by-label/config-2")
METADATA = "169.254.169.254/32"
ANNOTATION = "vks.verda/user-script"
TAIL = 2000  # bytes of output that are reported
#: Covers what it is told to, then becomes the script. A text without #! is bash's.
COVER = """\
script=$1; shift
for path; do
  if [ -d "$path" ]; then mount -t tmpfs -o size=4k,mode=0500 none "$path"
  else mount --bind /dev/null "$path"; fi || exit 125
done
[ "$(head -c 2 "$script")" = '#!' ] && exec "$script"
exec /bin/bash "$script"
"""

Report = dict[str, Any]


def settings() -> Report:
    """What the pool says: `timeoutSeconds`, `onFailure`."""
    return _read(HERE / "settings.json") or {}


def run_once(phase: str) -> Report | None:
    """Runs the phase's script unless it was begun before. None when there is no script."""
    script, state = HERE / phase, HERE / f"{phase}.json"
    if not _wanted(phase):
        return None
    if (before := _read(state)) is not None:
        return before
    _write(state, {"outcome": "Interrupted"})
    script.touch(0o700)
    script.write_bytes(gzip.decompress((HERE / f"{phase}.gz").read_bytes()))
    result = _run(phase, script, float(settings()["timeoutSeconds"]))
    _write(state, result)
    print(f"vks: user script {phase}: {result['outcome']}, exit code {result['exitCode']}")
    return result


def _run(phase: str, script: Path, timeout: float) -> Report:
    """The script in a transient service: an empty environment, and nothing of it survives."""
    unit = f"vks-user-script-{phase}-run.service"
    began = time.monotonic()
    with covered() as paths:
        command = [
            *("systemd-run", "--quiet", "--wait", "--pipe", "--collect", f"--unit={unit}"),
            *("--property=KillMode=control-group", "--working-directory=/", "--setenv=HOME=/root"),
            *("--", "unshare", "--mount", "--propagation", "unchanged"),
            *("/bin/sh", "-c", COVER, "sh", str(script), *paths),
        ]
        outcome, code, lines = _limited(command, timeout, unit)
    return {
        "outcome": outcome,
        "exitCode": code if code >= 0 else 128 - code,
        "durationMs": int((time.monotonic() - began) * 1000),
        "lines": lines,
    }


def _limited(command: list[str], timeout: float, unit: str) -> tuple[str, int, str]:
    """Outcome, exit code and the end of the output of a command that may take so many seconds."""
    tail = bytearray()

    def drain(pipe: IO[bytes] | None) -> None:
        while pipe and (chunk := os.read(pipe.fileno(), 65_536)):
            tail[:] = (tail + chunk)[-TAIL:]

    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as process:
        reader = threading.Thread(target=drain, args=(process.stdout,))
        reader.start()
        timed_out = False
        try:
            process.wait(timeout)
        except subprocess.TimeoutExpired:
            timed_out = True
            _quietly("systemctl", "kill", "--signal=KILL", unit)
            process.wait()
        reader.join()
    outcome = "TimedOut" if timed_out else "Failed" if process.returncode else "Succeeded"
    return outcome, process.returncode, tail.decode(errors="replace").replace("\0", "")


@contextlib.contextmanager
def off_the_disk() -> Iterator[None]:
    """Takes the bootstrap token away for as long as the script runs."""
    kept = {path: (os.stat(path).st_mode, Path(path).read_bytes()) for path in _files(KEPT)}
    for path in (*kept, *_files(COPIES)):
        os.unlink(path)
    unreachable = _quietly("ip", "route", "add", "prohibit", METADATA)
    try:
        yield
    finally:
        if unreachable:
            _quietly("ip", "route", "del", "prohibit", METADATA)
        for path, (mode, content) in kept.items():
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode & 0o777)
            with os.fdopen(handle, "wb") as file:
                file.write(content)


@contextlib.contextmanager
def covered() -> Iterator[list[str]]:
    """What the script's mount namespace is to cover. Each is made a private mount of its own
    first, so that what is mounted on it there is not seen here, while everything else that the
    script mounts is."""
    paths = [os.path.realpath(path) for path in COVERED if os.path.exists(path)]
    done = []
    try:
        for path in paths:
            subprocess.run(["mount", "--bind", path, path], check=True)
            done.append(path)
            subprocess.run(["mount", "--make-private", path], check=True)
        yield paths
    finally:
        for path in reversed(done):
            _quietly("umount", "--lazy", path)


class Kubelet:
    """The API server, with the kubelet's own credential: it may read and annotate its Node."""

    def __init__(self) -> None:
        import yaml  # cloud-init depends on it

        cluster = yaml.safe_load(KUBELET_CONFIG.read_text())["clusters"][0]["cluster"]
        authority = base64.b64decode(cluster["certificate-authority-data"]).decode()
        self._context = ssl.create_default_context(cadata=authority)
        self._context.load_cert_chain(KUBELET_CREDENTIAL)
        self._address = urlsplit(cluster["server"]).netloc
        review = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
        path = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
        user = json.load(self._call("POST", path, review))["status"]["userInfo"]["username"]
        self.node = user.rpartition(":")[2]

    def wait_ready(self) -> None:
        """Returns when the Node is Ready."""
        query = f"?watch=1&fieldSelector=metadata.name={self.node}&timeoutSeconds=300"
        while True:
            for line in self._call("GET", f"/api/v1/nodes{query}"):
                status = json.loads(line)["object"].get("status", {})
                for condition in status.get("conditions", []):
                    if condition["type"] == "Ready" and condition["status"] == "True":
                        return

    def report(self, report: Report) -> None:
        """Writes the report where the cloud controller reads it."""
        patch = {"metadata": {"annotations": {ANNOTATION: json.dumps(report)}}}
        path = f"/api/v1/nodes/{self.node}"
        self._call("PATCH", path, patch, "application/merge-patch+json").close()

    def _call(
        self, method: str, path: str, body: Any = None, content: str = "application/json"
    ) -> http.client.HTTPResponse:
        """The answer, whose body may go on for ever. Raises OSError."""
        server = http.client.HTTPSConnection(self._address, context=self._context, timeout=330)
        server.request(
            method, path, None if body is None else json.dumps(body), {"Content-Type": content}
        )
        answer = server.getresponse()
        if answer.status >= 400:
            raise OSError(f"{method} {path}: {answer.status} {answer.read(500)!r}")
        return answer


def pre() -> None:
    """Before kubeadm."""
    with off_the_disk():
        run_once("pre")


def post() -> None:
    """Reports `pre`, waits for Ready, runs `post`, reports both. Ends with an error for as long
    as the API server cannot be reached; systemd starts it again."""
    for path in _files((*KEPT, *COPIES)):
        os.unlink(path)
    kubelet = Kubelet()
    report: Report = {"complete": False}
    if _wanted("pre"):
        report["pre"] = _read(HERE / "pre.json") or {"outcome": "Interrupted"}
        kubelet.report(report)
    failed = report.get("pre", {}).get("outcome", "Succeeded") != "Succeeded"
    if failed and settings()["onFailure"] == "FailNode" and _wanted("post"):
        report["post"] = {"outcome": "Skipped"}
    elif _wanted("post"):
        kubelet.wait_ready()
        report["post"] = run_once("post")
    kubelet.report({**report, "complete": True})
    (HERE / "reported").touch()


def _wanted(phase: str) -> bool:
    return (HERE / f"{phase}.gz").exists()


def _files(patterns: tuple[str, ...]) -> list[str]:
    found = {path for pattern in patterns for path in glob.glob(pattern)}
    return sorted(path for path in found if os.path.isfile(path))


def _quietly(*command: str) -> bool:
    return subprocess.run(command, capture_output=True).returncode == 0


def _read(path: Path) -> Report | None:
    try:
        value: Report = json.loads(path.read_text())
    except (FileNotFoundError, ValueError):
        return None
    return value


def _write(path: Path, value: Report) -> None:
    """Whole or not at all."""
    partial = path.with_suffix(".partial")
    with open(partial, "w") as file:
        json.dump(value, file)
        file.flush()
        os.fsync(file.fileno())
    partial.rename(path)


if __name__ == "__main__":
    {"pre": pre, "post": post}[sys.argv[1]]()
