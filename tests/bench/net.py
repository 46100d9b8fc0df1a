"""Guest instructions of packets by UDP, ICMP and TCP, and packets and MB per second, in each isolation."""
import socket

import wire
from guest import network

PORT = 7000
ECHOES = 500
PINGS = 200
SIZES = (64, 1400)
MIB = 1 << 20
MB = 1000000
STREAM_MIB = 4


def boot_machine(boot, name, **options):
    """The machine, and host's ports that lead to netbench's: for streams, for datagrams."""
    ports = wire.free_port(), wire.free_port(socket.SOCK_DGRAM)
    arguments = f"{wire.isolation_arguments(name)} ftl.isolation.netbench={wire.MATRIX[name][-1]}"
    extra = network([(ports[0], PORT)], [(ports[1], PORT)])
    return boot(append=arguments, extra=extra, **options), *ports


def connect_datagrams(port):
    client = socket.socket(type=socket.SOCK_DGRAM)
    client.connect(("127.0.0.1", port))
    client.settimeout(1)
    return client


def streams(port):
    """Metric: a function that moves so many MiB."""
    return {"tcp_to_guest": lambda count: wire.send_stream(port, count * MIB),
            "tcp_from_guest": lambda count: wire.receive_stream(port, count * MIB)}


def start(guest):
    guest.wait_prompt()
    guest.run_background(f"netbench serve {PORT} &", "serving\n")


def measure_instructions(boot, name):
    figures = {}
    machine, port, datagram_port = boot_machine(boot, name)
    with machine as guest, connect_datagrams(datagram_port) as client:
        start(guest)
        wire.send_datagrams(client, 1, 64)  # it has an address
        for size in SIZES:
            cost = wire.costs(guest, lambda count, size=size: wire.send_datagrams(client, count, size), ECHOES)
            figures[f"{name}.instructions.udp_echo_{size}"] = round(cost)

        def ping(count):
            output = guest.run(f"ping -q -i 0 -c {count} 10.0.2.2", timeout=120)
            assert f"{count} sent, {count} received" in output, output

        figures[f"{name}.instructions.ping"] = round(wire.costs(guest, ping, PINGS))
        for metric, work in streams(port).items():
            cost = wire.costs(guest, work, STREAM_MIB)
            count = wire.costs(guest, work, STREAM_MIB, read=wire.packets)
            figures[f"{name}.instructions_per_packet.{metric}"] = round(cost / count)
            figures[f"{name}.packets_per_mib.{metric}"] = round(count)
            figures[f"{name}.instructions_per_kb.{metric}"] = round(cost * 1000 / MIB)
    return figures


def measure_rates(boot, name):
    figures = {}
    machine, port, datagram_port = boot_machine(boot, name, icount=False)
    with machine as guest, connect_datagrams(datagram_port) as client:
        start(guest)
        wire.send_datagrams(client, 1, 64)
        echoes = wire.rate(lambda count: wire.send_datagrams(client, count, 1400), ECHOES)
        figures[f"{name}.udp_echoes_per_second"] = round(echoes)
        for metric, work in streams(port).items():
            figures[f"{name}.mb_per_second.{metric}"] = round(wire.rate(work, 4 * STREAM_MIB) * MIB / MB, 2)
    return figures


def measure(boot):
    figures = {}
    for name in wire.MATRIX:
        figures.update(measure_instructions(boot, name))
        figures.update(measure_rates(boot, name))
    return figures
