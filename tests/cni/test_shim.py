"""The executable: compiled and in Python, with the agent there and without it."""

import json
import os
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.cni.calls import document, environment
from tests.cni.test_dispatch import Recorder

from weft.cni.serve import CniServer
from weft.cni.shim import build
from weft.cni.shim.install import executable, install


@pytest.fixture(params=["compiled", "python"])
def directory(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """The plugins' directory; the socket is to be `agent.sock` beside it."""
    if request.param == "compiled" and not build.build(tmp_path / "shim"):
        pytest.skip("there is no C compiler here")
    install(tmp_path / "bin", ["weft", "loopback"], tmp_path / "agent.sock", tmp_path / "shim")
    return tmp_path / "bin"


@pytest.fixture
def served(directory: Path) -> Iterator[Recorder]:
    recorder = Recorder()
    server = CniServer(directory.parent / "agent.sock", {"weft": recorder})
    server.start()
    yield recorder
    server.close()


def run(directory: Path, env: dict[str, str], stdin: bytes) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([directory / "weft"], env=env, input=stdin, capture_output=True, timeout=10, check=False)


def test_a_request_and_its_answer_pass_through(directory: Path, served: Recorder) -> None:
    done = run(directory, environment("ADD") | {"HOME": "/root"}, json.dumps(document()).encode())
    assert (done.returncode, done.stderr) == (0, b"")
    assert json.loads(done.stdout)["ips"][0]["address"] == "10.244.1.2/24"
    (asked,) = served.asked
    assert (asked.container, asked.netns, asked.args["K8S_POD_NAME"]) == ("c1", "/run/netns/pod", "web")


def test_an_error_comes_with_its_status(directory: Path, served: Recorder) -> None:
    done = run(directory, environment("STATUS"), json.dumps(document()).encode())
    assert (done.returncode, json.loads(done.stdout)["code"]) == (1, 50)


def test_a_silent_answer_is_silent(directory: Path, served: Recorder) -> None:
    done = run(directory, environment("DEL"), json.dumps(document()).encode())
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_a_large_configuration(directory: Path, served: Recorder) -> None:
    done = run(directory, environment("ADD"), json.dumps(document(args={"x": "y" * 500_000})).encode())
    assert done.returncode == 0


def test_without_an_agent_the_runtime_is_told_to_try_again(directory: Path) -> None:
    done = run(directory, environment("ADD"), b"{}")
    answer = json.loads(done.stdout)
    assert (done.returncode, answer["code"]) == (1, 11)
    assert "is `weft network` running" in answer["msg"]


def test_an_agent_that_dies_while_it_serves(directory: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(directory.parent / "agent.sock"))
        listener.listen()
        thread = threading.Thread(target=lambda: listener.accept()[0].close())
        thread.start()
        done = run(directory, environment("ADD"), b"{}")
        thread.join()
    assert (done.returncode, json.loads(done.stdout)["code"]) == (1, 11)


def test_installing_again_replaces_by_rename_and_leaves_nothing_else(directory: Path) -> None:
    (directory / "weft").write_bytes(b"of an older version")
    install(directory, ["weft", "loopback"], directory.parent / "agent.sock", directory.parent / "shim")
    assert sorted(path.name for path in directory.iterdir()) == ["loopback", "weft", "weft-cni.sock"]
    assert os.access(directory / "weft", os.X_OK)
    assert (directory / "weft").read_bytes() == executable(directory.parent / "shim")


def test_a_directory_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match="cni-bin-dir: cannot write to"):
        install(tmp_path / "file" / "bin", ["weft"], tmp_path / "agent.sock")


def test_what_is_no_request_does_not_stop_the_server(directory: Path, served: Recorder) -> None:
    for garbage in (b"", b"no end of it", b"\0", b"CNI_COMMAND=ADD\0\0{", os.urandom(5000)):
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(directory.parent / "agent.sock"))
            client.sendall(garbage)
            client.shutdown(socket.SHUT_WR)
            assert client.recv(1000)
    assert run(directory, environment("DEL"), json.dumps(document()).encode()).returncode == 0
