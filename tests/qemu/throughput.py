"""How much goes through the network, printed for the reader: datagrams there and back, and streams of bytes in both
directions between the host and programs of the guest. All that is sent has to come."""
import socket

from guest import network
from wire import free_port, rate, receive_stream, send_datagrams, send_stream

PORT = 7000
ECHOES = 300
DATAGRAM = 1400
STREAM = 4 << 20
MB = 1000000


def test_boots(boot):
    port, datagram_port = free_port(), free_port(socket.SOCK_DGRAM)
    extra = network([(port, PORT)], [(datagram_port, PORT)])
    with boot(extra=extra) as guest, socket.socket(type=socket.SOCK_DGRAM) as client:
        guest.wait_prompt()
        guest.run_background(f"netbench serve {PORT} &", "serving\n")
        client.connect(("127.0.0.1", datagram_port))
        client.settimeout(1)
        send_datagrams(client, 1, DATAGRAM)
        echoes = rate(lambda count: send_datagrams(client, count, DATAGRAM), ECHOES)
        print(f"UDP, {DATAGRAM} bytes there and back: {echoes:.0f}/s, {2 * echoes * DATAGRAM / MB:.2f} MB/s")
        print(f"TCP to the guest: {rate(lambda size: send_stream(port, size), STREAM) / MB:.2f} MB/s")
        print(f"TCP from the guest: {rate(lambda size: receive_stream(port, size), STREAM) / MB:.2f} MB/s")
