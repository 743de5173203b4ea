"""A server, started with its files in a folder of its own and stopped by its process id; and a socket read in lines."""

import socket
import subprocess
import time
from pathlib import Path


class Daemon:
    """Runs *argv* until close().  Made once it accepts connections at *address*, a Unix socket or a port of this machine."""

    def __init__(self, argv: list[str], address: Path | int, folder: Path, within_s: float = 10) -> None:
        self._process = subprocess.Popen(argv, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + within_s
        while True:
            try:
                self.connection = socket.socket(socket.AF_UNIX if isinstance(address, Path) else socket.AF_INET)
                self.connection.connect(str(address) if isinstance(address, Path) else ("127.0.0.1", address))
                break
            except OSError:
                self.connection.close()
                if self._process.poll() is not None or time.monotonic() > deadline:
                    self._process.kill()
                    raise RuntimeError(f"{argv[0]} does not listen on {address}") from None
                time.sleep(0.01)
        self._buffer = b""
        self._within_s = within_s

    def send(self, data: bytes) -> None:
        self.connection.sendall(data)

    def line(self) -> bytes:
        """The next line, without its end."""
        while b"\r\n" not in self._buffer:
            self._fill()
        line, _, self._buffer = self._buffer.partition(b"\r\n")
        return line

    def body(self, count: int) -> bytes:
        """The next *count* bytes and the line's end after them."""
        while len(self._buffer) < count + 2:
            self._fill()
        body, self._buffer = self._buffer[:count], self._buffer[count + 2 :]
        return body

    def _fill(self) -> None:
        received = self.connection.recv(1 << 18)
        if not received:
            raise ConnectionError("the peer closed the connection")
        self._buffer += received

    def close(self) -> None:
        self.connection.close()
        self._process.terminate()
        self._process.wait(self._within_s)
