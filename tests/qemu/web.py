"""The web server on QEMU's user network, driven by real clients on the host: curl, ab, clients that are malformed, or
slow; with driver, network stack and server in all of the isolations of MATRIX. What is killed under load is started
again, and serves again."""
import concurrent.futures
import json
import re
import shutil
import subprocess
import tarfile
import tempfile
import time

from guest import network, timeout_scale
from wire import (MATRIX, REQUEST, SERVERS, TIME_LIMIT, connect, free_port, isolation_arguments, read_all, read_answer,
                  wait_served)

REQUESTS = 1000
CONCURRENT = 100


class Web:
    """The server as clients see it."""

    def __init__(self, port):
        self.port = port
        self.url = f"http://127.0.0.1:{port}"

    def curl(self, *words):
        done = subprocess.run(["curl", "-sS", "--max-time", str(TIME_LIMIT * timeout_scale()), *words],
                              capture_output=True, check=False)
        assert done.returncode == 0, f"curl {words}: {done.stderr.decode()}"
        return done.stdout

    def get(self, path, *words):
        """The status, the headers (names in lower case) and the body."""
        head, body = self.curl("-i", *words, self.url + path).split(b"\r\n\r\n", 1)
        first, *lines = head.decode().split("\r\n")
        headers = dict(line.split(": ", 1) for line in lines)
        return int(first.split()[1]), {key.lower(): value for key, value in headers.items()}, body

    def raw(self, data, pieces=1):
        """Sends bytes as they are, and returns all that comes back until the server closes."""
        with connect(self.port) as client:
            for start in range(0, len(data), max(1, len(data) // pieces)):
                client.sendall(data[start:start + max(1, len(data) // pieces)])
            return read_all(client)

    def status(self):
        return json.loads(self.get("/status.json")[2])


def files_are_served(web, image):
    status, headers, body = web.get("/")
    assert status == 200 and headers["content-type"] == "text/html; charset=utf-8" and b"FTL" in body
    status, headers, nothing = web.get("/", "--head")
    assert status == 200 and int(headers["content-length"]) == len(body) and nothing == b""
    assert web.get("/nothing")[0] == 404
    assert web.get("/boot")[0] == 301 and b"bin/" in web.get("/boot/")[2]
    assert web.get("/boot/bin/../../etc/passwd", "--path-as-is")[0] == 400
    assert web.get("/%2e%2e/boot/SERVICES", "--path-as-is")[0] == 400
    program = web.get("/boot/bin/tcpip.user")[2]
    with tarfile.open(image) as archive:
        assert program == archive.extractfile("bin/tcpip.user").read()
    for value, first, end in (("0-0", 0, 1), ("1000-1999", 1000, 2000), ("-10", -10, None), ("100-", 100, None)):
        status, headers, body = web.get("/boot/bin/tcpip.user", "-r", value)
        assert status == 206 and body == program[first:end], value
        assert headers["content-range"].endswith(f"/{len(program)}")
    assert web.get("/", "-H", "Range: bytes=100000-")[0] == 416
    assert web.get("/", "-X", "POST", "-d", "x")[0] == 405


def status_is_told(web, isolations):
    processes = {process["name"]: process["isolation"] for process in web.status()["process_list"]}
    assert [processes[name] for name in SERVERS] == list(isolations), processes
    page = web.get("/status")[2]
    assert b'<svg id="load"' in page and b'<svg id="messages"' in page and b"tcpip" in page
    before = web.status()
    web.get("/")
    after = web.status()
    assert after["messages"] >= before["messages"] > 0, (before["messages"], after["messages"])
    # The rate is that of the last full second, which may have been a quiet one; these requests are in the next.
    deadline = time.monotonic() + 60
    while after["messages_per_second"] == 0 and time.monotonic() < deadline:
        after = web.status()
    assert 0 < after["messages_per_second"] < 1e6, after["messages_per_second"]


def connections_are_kept(web):
    output = web.curl("-o", "/dev/null", "-w", "%{http_code} %{num_connects}\n", f"{web.url}/?[1-{REQUESTS}]").decode()
    lines = [line for line in output.split("\n") if re.fullmatch(r"\d{3} \d+", line)]
    assert lines == ["200 1"] + ["200 0"] * (REQUESTS - 1), f"{len(lines)}: {set(lines)}"
    answer = web.raw(REQUEST * 20 + b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert answer.count(b"HTTP/1.1 200 OK") == 21, "pipelined requests"


def connect_many(web, count):
    """One after the other: QEMU lets one connection wait to be accepted, and the host drops more."""
    clients = []
    for _ in range(count):
        client = connect(web.port)
        client.sendall(REQUEST)
        read_answer(client)
        clients.append(client)
    return clients


def many_come_at_once(web):
    page = web.get("/")[2]
    clients = connect_many(web, CONCURRENT)
    for _ in range(REQUESTS // CONCURRENT):
        for client in clients:
            client.sendall(REQUEST)
        for client in clients:
            assert read_answer(client) == page
    for client in clients:
        client.close()


def load_is_measured(web):
    for words in (("-k",), ()):
        output = subprocess.run(["ab", "-q", "-n", str(REQUESTS), "-c", "1", *words, f"{web.url}/"],
                                capture_output=True, text=True, check=True).stdout
        assert re.search(rf"Complete requests: +{REQUESTS}\n", output), output
        assert re.search(r"Failed requests: +0\n", output), output
        rate = re.search(r"Requests per second: +([\d.]+)", output)[1]
        print(f"{' '.join(words) or 'one request a connection'}: {rate} requests/s")


def malformed_requests_are_refused(web):
    head = b"GET / HTTP/1.1\r\nHost: x\r\n"
    cases = {
        b"garbage\r\n\r\n": 501,
        b"FETCH / HTTP/1.1\r\nHost: x\r\n\r\n": 501,
        b"GET / HTTP/3.7\r\nHost: x\r\n\r\n": 505,
        b"GET / HTTP/1.1\r\n\r\n": 400,
        head + b"Host: y\r\n\r\n": 400,
        head + b"Bad Header: x\r\n\r\n": 400,
        head + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n": 400,
        head + b"Content-Length: 99999999\r\n\r\n": 413,
        b"GET /" + b"a" * 3000 + b" HTTP/1.1\r\nHost: x\r\n\r\n": 414,
        head + b"X: " + b"a" * 20000 + b"\r\n\r\n": 431,
        b"\x00\xff\x80" * 100: 501,
    }
    for data, expected in cases.items():
        for pieces in (1, 7):
            answer = web.raw(data, pieces)
            status = int(answer.split()[1])
            assert status == expected, f"{data[:60]}: {answer[:60]}"


def slow_clients_are_cut_off(web):
    """Also while others are served."""
    slow = connect_many(web, 20)
    for client in slow:
        client.sendall(b"GET / HTTP/1.1\r\nHo")
    assert web.get("/")[0] == 200
    for client in slow:
        client.settimeout(TIME_LIMIT * timeout_scale())
        assert client.recv(1000).startswith(b"HTTP/1.1 408 "), "a request that never ends"
        client.close()


def kills_are_survived(guest, web):
    """Each server in turn, while clients ask for pages."""
    for name in SERVERS:
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            command = ["ab", "-q", "-r", "-k", "-s", "5", "-t", "3", "-c", "1", f"{web.url}/"]
            load = [pool.submit(subprocess.run, command, capture_output=True, check=False) for _ in range(3)]
            pid = re.search(rf"^ +(\d+) {name} ", guest.run("ps"), re.M)[1]
            guest.run(f"kill {pid}")
            wait_served(web.port)
            for each in load:
                each.result()
        wait_served(web.port)
        assert re.search(rf"^ +(?!{pid} )\d+ {name} ", guest.run("ps"), re.M), name


def page_can_be_drawn(web):
    browser = shutil.which("chromium")
    if browser is None:
        print("no chromium: the status page is not looked at")
        return
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([browser, "--headless", "--no-sandbox", "--disable-gpu", f"--screenshot={folder}/status.png",
                        "--window-size=900,900", f"{web.url}/status"], check=True, capture_output=True, timeout=120)
        with open(f"{folder}/status.png", "rb") as file:
            picture = file.read()
    assert picture[:8] == b"\x89PNG\r\n\x1a\n" and len(picture) > 10000, len(picture)


def tools_reach_the_network(guest):
    output, status = guest.run_status("ping -c 2 10.0.2.2", timeout=60)
    assert status == 0 and "2 sent, 2 received" in output, output
    assert "inet 10.0.2.15 netmask 255.255.255.0 gateway 10.0.2.2\n" in guest.run("ifconfig")
    output, status = guest.run_status("nslookup localhost", timeout=60)
    assert status == 0 and "127.0.0.1\n" in output and "::1\n" in output, output
    output = guest.run("nslookup ftl-is-no-such-name.invalid", timeout=60)
    assert "does not resolve" in output, f"QEMU's name server has not answered: {output}"
    output, status = guest.run_status("wget -q -n 10 http://10.0.2.15/", timeout=60)
    assert status == 0 and output.startswith("10 times"), output


def test_boots(boot, words):
    port = free_port()
    with boot(append=f"ftl.start=httpd {isolation_arguments(words[0])}", extra=network([(port, 80)])) as guest:
        guest.wait_prompt()
        web = Web(port)
        wait_served(port)
        image = guest.command[guest.command.index("-initrd") + 1]
        files_are_served(web, image)
        status_is_told(web, MATRIX[words[0]])
        connections_are_kept(web)
        many_come_at_once(web)
        load_is_measured(web)
        malformed_requests_are_refused(web)
        slow_clients_are_cut_off(web)
        tools_reach_the_network(guest)
        kills_are_survived(guest, web)
        page_can_be_drawn(web)
        assert web.get("/")[0] == 200
