"""`python doorman.py PORT ADDRESS…`: a TCP server that lets in by source address only."""

import socket
import sys


def main() -> None:
    port, allowed = int(sys.argv[1]), set(sys.argv[2:])
    with socket.create_server(("0.0.0.0", port)) as listener:
        print("listening", flush=True)
        while True:
            connection, (source, _) = listener.accept()
            with connection:
                connection.sendall(b"welcome\n" if source in allowed else b"refused\n")


if __name__ == "__main__":
    main()
