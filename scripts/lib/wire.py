"""The host's side of the guest's network: which servers run in which isolation, and clients of them, for tests and
benchmarks."""
import re
import socket
import time

from guest import GuestTimeout, timeout_scale

SERVERS = ("virtio_net", "tcpip", "httpd")
MATRIX = {
    "sandbox": ("sandbox", "sandbox", "sandbox"),
    "user": ("user", "user", "user"),
    "mixed": ("sandbox", "user", "sandbox"),
}
TIME_LIMIT = 60
TRY_LIMIT = 3
REQUEST = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
CLOSING_REQUEST = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


def isolation_arguments(name):
    """Boot arguments for a row of the matrix."""
    return " ".join(f"ftl.isolation.{server}={isolation}" for server, isolation in zip(SERVERS, MATRIX[name]))


def free_port(kind=socket.SOCK_STREAM):
    with socket.socket(type=kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def connect(port, timeout=TIME_LIMIT):
    return socket.create_connection(("127.0.0.1", port), timeout * timeout_scale())


def read_all(client):
    """What comes until the server closes."""
    data = b""
    while True:
        part = client.recv(1 << 18)
        if not part:
            return data
        data += part


def exchange(port, request, timeout=TIME_LIMIT):
    """Sends it on a connection of its own; all that comes back."""
    with connect(port, timeout) as client:
        client.sendall(request)
        return read_all(client)


def read_answer(client):
    """The body of one answer on a connection that is kept."""
    data = b""
    while b"\r\n\r\n" not in data:
        part = client.recv(65536)
        assert part, f"the connection ended in: {data}"
        data += part
    head, body = data.split(b"\r\n\r\n", 1)
    assert head.startswith(b"HTTP/1.1 200 "), head
    size = int(re.search(rb"Content-Length: (\d+)", head)[1])
    while len(body) < size:
        part = client.recv(1 << 18)
        assert part, "the connection ended in an answer"
        body += part
    return body


def wait_served(port):
    """Until HTTP is answered. QEMU accepts connections before the guest does; who comes too early for the guest's
    interface waits for long, so nobody waits long for an answer here."""
    deadline = time.monotonic() + TIME_LIMIT * timeout_scale()
    while True:
        try:
            if exchange(port, b"HEAD / HTTP/1.0\r\n\r\n", TRY_LIMIT).startswith(b"HTTP/1.1 200"):
                return
        except OSError:
            pass
        if time.monotonic() > deadline:
            raise GuestTimeout("no answer by HTTP")
        time.sleep(0.05)


def send_datagrams(client, count, size):
    """Echoes, one after the other; what got lost is sent again. `client` is a connected UDP socket with a timeout."""
    for number in range(count):
        data = number.to_bytes(4, "big") * (size // 4)
        client.send(data)
        while True:
            try:
                if client.recv(65536) == data:
                    break
            except TimeoutError:
                client.send(data)


def send_stream(port, size):
    """Sends so many bytes to netbench, which has to have got all of them."""
    block = bytes(1 << 18)
    with connect(port) as client:
        client.sendall(b"sink\n")
        for _ in range(size // len(block)):
            client.sendall(block)
        client.shutdown(socket.SHUT_WR)
        answer = read_all(client)
    assert int(answer) == size // len(block) * len(block), answer


def receive_stream(port, size):
    """Has netbench send so many bytes."""
    received = 0
    buffer = bytearray(1 << 18)
    with connect(port) as client:
        client.sendall(b"source %d\n" % size)
        while count := client.recv_into(buffer):
            received += count
    assert received == size, f"{received} of {size} bytes came"


def busy(guest):
    """How long the guest's harts have worked so far, without the time they idled: under -icount, in instructions."""
    return int(re.search(r"^busy (\d+)", guest.run("netbench busy"), re.M)[1])


def packets(guest):
    """How many packets the guest's interface has received and sent."""
    text = guest.run("ifconfig").split("ether", 1)[1]
    return sum(int(number) for number in re.findall(r"(?:received|sent) (\d+) packets", text)[:2])


def costs(guest, work, count, read=busy):
    """What one unit of `work(n)`, n units, adds to what `read` reads: two runs' difference, in which that of asking is
    not contained."""
    work(max(1, count // 4))  # until all is in memory
    marks = [read(guest)]
    for units in (count, 2 * count):
        work(units)
        marks.append(read(guest))
    return (marks[2] - 2 * marks[1] + marks[0]) / count


def rate(work, count):
    """Units per second of the host's time."""
    start = time.monotonic()
    work(count)
    return count / (time.monotonic() - start)
