"""Every program of the boot image does the same in both isolations: once all of them run as user programs, init, shell,
servers and drivers included, once all in sandboxes. A program that is in no table fails the test."""
import http.server
import os
import re
import tarfile
import threading

from guest import TESTS_IMAGE, network

PAGE = b"a page\n" * 100
# Program: what to run, and the status that it ends with. `{port}` is a port of the host with an HTTP server.
COMMANDS = {
    "nictest": ("run nictest arp 20", 0),  # before the network stack takes the interface
    "bench": ("run bench harts 1", 0),
    "bomb": ("run bomb", 1),  # for what it does otherwise see bombs.py
    "bzip2": ("run bzip2 --help", 0),  # for what others' programs do see programs.py
    "crash": ("run crash array", 139),
    "echo_client": ("run echo_client say 'good day'; run echo_client check", 0),
    "filejail": ("run filejail look", 0),
    "filetest": ("run filetest look", 0),
    "hello": ("run hello one 'two words'", 0),
    "hexdump": ("run hexdump -C -n 40 /boot/bin/hello.manifest", 0),
    "ifconfig": ("run ifconfig", 0),
    "ipcbench": ("run ipcbench poll", 0),
    "ipcfuzz": ("run ipcfuzz 200 echo", 0),
    "ipcstress": ("run ipcstress 5", 0),
    "ipctest": ("run ipctest", 0),
    "lifetime": ("run lifetime 3 7", 0),
    "lua": ("run lua -e 'print(_VERSION)'", 0),
    "netbench": ("run netbench busy", 0),
    "nc": ("run nc 127.0.0.1 9", 1),
    "nothing": ("run nothing", 0),
    "nslookup": ("run nslookup 127.0.0.1", 0),
    "ping": ("run ping -c 2 -i 0.1 127.0.0.1", 0),
    "primes": ("run primes 5000", 0),
    "ringtest": ("run ringtest", 0),
    "rtctest": ("run rtctest 0x80200000 11", 1),
    "selftest": ("run selftest", 0),
    "sockettest": ("run sockettest", 0),
    "threadtest": ("run threadtest calls sync", 0),
    "toybox": ("run basename /a/b.c .c; run seq 3", 0),
    "trace": ("run trace on; run trace off", 0),
    "vmtest": ("run vmtest 2 20 2", 0),
    "wget": ("run wget -q http://10.0.2.2:{port}/", 0),
    "zstd": ("run zstd --version", 0),
}
# Program: what has it run.
STARTED_BY_OTHERS = {
    "init": "every command",
    "shell": "every command",
    "echo_server": COMMANDS["echo_client"],
    "files": COMMANDS["filetest"],
    "goldfish_rtc": "the boot",
    "tcpip": COMMANDS["ping"],
    "virtio_net": COMMANDS["nictest"],
}
STAY = ("files", "init", "shell", "tcpip", "virtio_net")  # are still there at the end
# Program: the test of its own in this directory that runs it, with the devices it needs.
ELSEWHERE = {
    "disktest": "storage_driver", "virtio_blk": "storage_driver",
    "dw_apb_uart": "serial_driver", "ns16550a": "serial_driver",
    "httpd": "web", "rightstest": "rights", "program": "shell_files",
    "mortal": "service_policies", "mortal_always": "service_policies", "mortal_at_once": "service_policies",
    "mortal_never": "service_policies",
    "posixfiletest": "posix_files",
    "powertest": "power_cut",
    "proctest": "processes",
    "randomtest": "random_driver", "virtio_rng": "random_driver",
    "terminaltest": "terminal_driver", "virtio_console": "terminal_driver",
}


class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):  # the name is the library's
        self.send_response(200)
        self.send_header("Content-Length", str(len(PAGE)))
        self.end_headers()
        self.wfile.write(PAGE)

    def log_message(self, *_):
        pass


def programs(path):
    with tarfile.open(path) as image:
        return sorted(os.path.basename(name)[:-len(".manifest")] for name in image.getnames()
                      if name.endswith(".manifest"))


def without_figures(output):
    """Times, counts and addresses differ from run to run, registers from one isolation to the other, and a network
    interface may have been configured by now or not."""
    output = re.sub(r"^( .*|name server .*)\n", "", output, flags=re.M)
    return re.sub(r"\[[^]]*\] |\b(0x)?[0-9a-f]*\d[0-9a-f.]*\b|\((user|sandbox)\)", "#", output)


def run_all(boot, isolation, port):
    append = " ".join(f"ftl.isolation.{name}={isolation}" for name in STARTED_BY_OTHERS)
    outputs = {}
    with boot(append=append, memory="256M", extra=network()) as guest:
        guest.wait_prompt()
        for name, (command, wanted) in COMMANDS.items():
            command = command.format(port=port).replace("run ", f"run --isolation={isolation} ")
            output, status = guest.run_status(command, timeout=300)
            assert status == wanted, f"{isolation}: {name} ended with {status}: {output}"
            outputs[name] = without_figures(output)
        running = dict(re.findall(r"^ +\d+ (\w+) +(user|sandbox) ", guest.run("ps"), re.M))
        for name in STAY:
            assert running.get(name) == isolation, f"{name} is not in mode {isolation}: {running}"
    return outputs


def test_boots(boot):
    names = programs(os.path.join(boot.args[0], TESTS_IMAGE))
    without = sorted(set(names) ^ (COMMANDS.keys() | STARTED_BY_OTHERS.keys() | ELSEWHERE.keys()))
    assert not without, f"programs in the boot image or in the tables of every_app.py, but not in both: {without}"
    for test in ELSEWHERE.values():
        assert os.path.exists(os.path.join(os.path.dirname(os.path.abspath(__file__)), f"{test}.py")), test
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    user, sandbox = (run_all(boot, isolation, server.server_address[1]) for isolation in ("user", "sandbox"))
    for name, output in user.items():
        assert output == sandbox[name], f"{name} in user mode:\n{output}\nin a sandbox:\n{sandbox[name]}"
