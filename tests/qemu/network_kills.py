"""The network driver, the TCP/IP stack and the web server are killed in turn, over and over, while clients ask for
pages. Each is started again, pages come again within a second of the guest's time, no other process is disturbed, and
nothing stays behind: objects and free memory are exactly as before."""
import concurrent.futures
import json
import re
import threading
import time

from guest import network, timeout_scale
from wire import CLOSING_REQUEST, SERVERS, TRY_LIMIT, connect, free_port, read_all, wait_served

LIMIT = 1.0  # seconds of the guest's time
STATUS = b"GET /status.json HTTP/1.0\r\n\r\n"
BETWEEN_TRIES = 0.1
TRIES = 100  # at the same time: more than begin within the time that one may take
CLIENTS = 2
FRESH_STARTS = 4  # whose states are taken for what there is without a leak
FRESH_TRIES = 12


def processes(guest):
    return {name: pid for pid, name in re.findall(r"^ +(\d+) (\w+) ", guest.run("ps"), re.M)}


def fetch_status(port):
    """None: it did not come."""
    try:
        with connect(port, TRY_LIMIT) as client:
            client.sendall(STATUS)
            return json.loads(read_all(client).split(b"\r\n\r\n", 1)[1])
    except (OSError, ValueError, IndexError):
        return None


def first_status(port, pool):
    """The first answer of those to many clients, as one whose first packet was lost waits for seconds."""
    deadline = time.monotonic() + 60 * timeout_scale()
    tries = set()
    while time.monotonic() < deadline:
        tries.add(pool.submit(fetch_status, port))
        done, tries = concurrent.futures.wait(tries, BETWEEN_TRIES, concurrent.futures.FIRST_COMPLETED)
        for each in done:
            if each.result():
                return each.result()
        if done:
            time.sleep(BETWEEN_TRIES)
    raise AssertionError("no answer after a kill")


class Load:
    """Clients that ask for a page again and again, whatever becomes of them."""

    def __init__(self, port):
        self.port = port
        self.ended = threading.Event()
        self.answers = 0
        self.threads = [threading.Thread(target=self.run) for _ in range(CLIENTS)]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        for thread in self.threads:
            thread.join()

    def run(self):
        while not self.ended.is_set():
            try:
                with connect(self.port) as client:
                    client.settimeout(1)
                    client.sendall(CLOSING_REQUEST)
                    self.answers += read_all(client).startswith(b"HTTP/1.1 200 ")
            except OSError:
                self.ended.wait(BETWEEN_TRIES)


def time_until_answer(guest, command, port, pool):
    """How long in the guest's time from one answer over a command to the next answer."""
    start = first_status(port, pool)["uptime_seconds"]
    guest.run(command)
    return first_status(port, pool)["uptime_seconds"] - start


def kill(guest, name, port, pool):
    """Returns how long it took until a page came again."""
    before = processes(guest)
    seconds = time_until_answer(guest, f"kill {before[name]}", port, pool)
    after = processes(guest)
    assert before.pop(name) != after.pop(name), f"{name} was not killed"
    assert before == after, f"killing {name} has changed {before} to {after}"
    return seconds


def state(guest):
    free = re.search(r"^free +(\d+) KiB$", guest.run("mem"), re.M)[1]
    return free, tuple(re.findall(r"^(\w.*?) +(\d+) +\d+ +\d+ KiB", guest.run("objects"), re.M))


def fresh_state(guest, port):
    """All three are killed, and have answered once since they were started again."""
    for name in reversed(SERVERS):
        guest.run(f"kill {processes(guest)[name]}")
    wait_served(port)
    return state(guest)


def test_boots(boot, words):
    kills = int(words[0])
    port = free_port()
    with boot(append="ftl.start=httpd", extra=network([(port, 80)])) as guest, \
            concurrent.futures.ThreadPoolExecutor(TRIES) as pool:
        guest.wait_prompt()
        guest.wait_for_drivers()
        wait_served(port)
        states = [fresh_state(guest, port) for _ in range(FRESH_STARTS)]
        with Load(port) as load:
            # What typing and asking take, the host being busy with other things.
            without = sorted(time_until_answer(guest, "kill", port, pool) for _ in range(5))[2]
            times = [(kill(guest, SERVERS[i % len(SERVERS)], port, pool), SERVERS[i % len(SERVERS)])
                     for i in range(kills)]
            assert load.answers != 0
        print(f"{kills} kills, {load.answers} answers to others; served again after at most {max(times)[0]:.3f} s, "
              f"in the middle {sorted(times)[kills // 2][0]:.3f} s; of it to ask {without:.3f} s")
        late = [each for each in times if each[0] - without > LIMIT * timeout_scale()]
        assert not late, f"seconds without service: {late}"
        for _ in range(FRESH_TRIES):
            now = fresh_state(guest, port)
            if now in states:
                return
        raise AssertionError(f"before:\n{states}\nafter:\n{now}")
