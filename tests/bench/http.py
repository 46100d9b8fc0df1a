"""Guest instructions of a small HTTP request and of a MiB served, and requests and MB per second, in each isolation."""
import wire
from guest import network

PORT = 80
REQUESTS = 500
CLIENTS = 8
FILE = "/boot/bin/tcpip.user"
FETCHES = 8
MB = 1000000


class Server:
    def __init__(self, port):
        self.port = port

    def keep_alive(self, count):
        with wire.connect(self.port) as client:
            for _ in range(count):
                client.sendall(wire.REQUEST)
                wire.read_answer(client)

    def new_connections(self, count):
        for _ in range(count):
            assert wire.exchange(self.port, wire.CLOSING_REQUEST).startswith(b"HTTP/1.1 200 ")

    def many_clients(self, count):
        """Requests of several clients that all wait at the same time."""
        clients = [wire.connect(self.port) for _ in range(CLIENTS)]
        for _ in range(count // CLIENTS):
            for client in clients:
                client.sendall(wire.REQUEST)
            for client in clients:
                wire.read_answer(client)
        for client in clients:
            client.close()

    def fetch(self, count):
        """Returns the bytes of all fetches."""
        total = 0
        with wire.connect(self.port) as client:
            for _ in range(count):
                client.sendall(b"GET %s HTTP/1.1\r\nHost: x\r\n\r\n" % FILE.encode())
                total += len(wire.read_answer(client))
        return total


def boot_server(boot, name, **options):
    port = wire.free_port()
    guest = boot(append=f"ftl.start=httpd {wire.isolation_arguments(name)}", extra=network([(port, PORT)]), **options)
    return Server(port), guest


def measure(boot):
    figures = {}
    for name in wire.MATRIX:
        server, machine = boot_server(boot, name)
        with machine as guest:
            guest.wait_prompt()
            wire.wait_served(server.port)
            size = server.fetch(1)
            for metric, work, count, units in (
                    ("instructions_per_request.keep_alive", server.keep_alive, REQUESTS, 1),
                    ("instructions_per_request.8_clients", server.many_clients, REQUESTS, 1),
                    ("instructions_per_request.new_connection", server.new_connections, REQUESTS, 1),
                    ("instructions_per_kb_served", server.fetch, FETCHES, size / 1000)):
                figures[f"{name}.{metric}"] = round(wire.costs(guest, work, count) / units)
        for harts in (1, 4):
            server, machine = boot_server(boot, name, icount=False, smp=harts)
            with machine as guest:
                guest.wait_prompt()
                wire.wait_served(server.port)
                for metric, work in (("keep_alive", server.keep_alive), ("8_clients", server.many_clients),
                                     ("new_connection", server.new_connections)):
                    figures[f"{name}.smp{harts}.requests_per_second.{metric}"] = round(wire.rate(work, REQUESTS))
                figures[f"{name}.smp{harts}.mb_per_second"] = round(wire.rate(server.fetch, FETCHES) * size / MB, 2)
    return figures
