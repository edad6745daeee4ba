"""The shim where no compiler was at hand when the wheel was built: the same in Python, with nothing imported but what
starting Python has loaded already. `install` writes it with a first line that names the interpreter."""

import json
import os
import socket
import sys


def main() -> int:
    try:
        stdin = sys.stdin.buffer.read()
        os.chdir(os.path.dirname(os.path.realpath(__file__)))
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(60)
            connection.connect("weft-cni.sock")
            pairs = [name + b"=" + value + b"\0" for name, value in os.environb.items() if name.startswith(b"CNI_")]
            connection.sendall(b"".join(pairs) + b"\0" + stdin)
            connection.shutdown(socket.SHUT_WR)
            answer = b"".join(iter(lambda: connection.recv(65536), b""))
        status, _, output = answer.partition(b"\n")
        code = int(status)
    except (OSError, ValueError) as error:
        reason = f"cannot reach the node's network agent: {error} (is `weft network` running on this node?)"
        print(json.dumps({"cniVersion": "1.0.0", "code": 11, "msg": reason}))
        return 1
    sys.stdout.buffer.write(output)
    return code


if __name__ == "__main__":
    sys.exit(main())
