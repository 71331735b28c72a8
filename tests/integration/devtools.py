"""A Chromium of the test's own, without a handle, driven over a pipe (the DevTools protocol, NUL between messages)."""

import base64
import json
import os
import select
import subprocess
import tempfile
import time

import keyward
import processes

CHROMIUM = "/usr/lib/chromium/chromium"
ANSWER_S = 30


class Page:
    """One tab. Everything that the page asks for and everything that it complains about is kept."""

    def __init__(self, base):
        home = tempfile.mkdtemp(dir=base)
        uid = keyward.ORDINARY if keyward.is_root() else os.geteuid()
        os.chown(home, uid, -1)
        to_read, self._to = os.pipe()
        self._from, to_write = os.pipe()
        ids = ["setpriv", "--reuid", str(uid), "--regid", str(uid), "--clear-groups"] if keyward.is_root() else []
        flags = ["--headless", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-sync",
                 "--disable-component-update", "--disable-quic", "--hide-scrollbars", "--disable-breakpad",
                 f"--user-data-dir={home}/profile",
                 "--remote-debugging-pipe", "about:blank"]
        shell = ["sh", "-c", f'exec "$@" 3<&{to_read} 4>&{to_write}', "sh"]
        self.process = subprocess.Popen([*shell, *ids, CHROMIUM, *flags], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                        pass_fds=(to_read, to_write), env={"HOME": home, "PATH": os.environ["PATH"]})
        keyward.bystanders.add(self.process.pid)
        os.close(to_read)
        os.close(to_write)
        self._left, self._number, self._session = b"", 0, None
        self.requests, self.complaints, self.answers = [], [], {}
        target = self._call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self._call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        # These have left their family and are the test's, which must not take them for the system's.
        keyward.bystanders.update(pid for pid in processes.descendants(os.getpid())
                                  if processes.name(pid).startswith("chrome_crashpad"))
        for domain in ("Page", "Runtime", "Log", "Network", "Accessibility"):
            self._call(f"{domain}.enable")

    def close(self):
        self.process.kill()
        self.process.wait()
        os.close(self._to)
        os.close(self._from)

    # ---- The protocol ----

    def _call(self, method, **params):
        self._number += 1
        number = self._number
        message = {"id": number, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._to, json.dumps(message).encode() + b"\0")
        deadline = time.monotonic() + ANSWER_S
        while True:
            got = self._receive(deadline, method)
            if got.get("id") == number:
                if "error" in got:
                    raise AssertionError(f"{method}: {got['error']}")
                return got["result"]
            self._note(got)

    def _receive(self, deadline, what):
        while b"\0" not in self._left:
            ready, _, _ = select.select([self._from], [], [], max(0, deadline - time.monotonic()))
            piece = os.read(self._from, 1 << 20) if ready else b""
            if not piece:
                raise AssertionError(f"no answer from Chromium to {what}")
            self._left += piece
        one, self._left = self._left.split(b"\0", 1)
        return json.loads(one)

    def _note(self, event):
        method, params = event.get("method"), event.get("params", {})
        if method == "Network.requestWillBeSent":
            self.requests.append(params["request"]["url"])
        elif method == "Runtime.exceptionThrown":
            self.complaints.append(params["exceptionDetails"]["text"])
        elif method == "Log.entryAdded" and params["entry"]["source"] != "network":
            self.complaints.append(params["entry"]["text"])
        elif method == "Fetch.requestPaused":
            path = "/" + params["request"]["url"].split("/", 3)[3]
            self._number += 1
            answer = {"requestId": params["requestId"], "responseCode": 200,
                      "responseHeaders": [{"name": "Content-Type", "value": "application/json"}],
                      "body": base64.b64encode(json.dumps(self.answers[path]).encode()).decode()}
            os.write(self._to, json.dumps({"id": self._number, "method": "Fetch.fulfillRequest", "params": answer,
                                           "sessionId": self._session}).encode() + b"\0")

    # ---- What tests do ----

    def answer(self, answers):
        """From now on the page is given these instead of what the server says: {path: object}."""
        self.answers = answers
        self._call("Fetch.enable", patterns=[{"urlPattern": "*" + path} for path in answers])

    def look(self, scheme="light", width=1280, height=900, motion="no-preference"):
        self._call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme},
                                                           {"name": "prefers-reduced-motion", "value": motion}])
        self._call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)

    def open(self, url):
        self._call("Page.navigate", url=url)

    def run(self, expression):
        """The value of an expression in the page."""
        result = self._call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in result:
            raise AssertionError(f"{expression}: {result['exceptionDetails']}")
        return result["result"].get("value")

    def wait(self, expression, seconds=ANSWER_S):
        deadline = time.monotonic() + seconds
        while not self.run(expression):
            if time.monotonic() > deadline:
                raise AssertionError(f"in {seconds} s it has not become true: {expression}")
            time.sleep(0.05)

    def press(self, key):
        for kind in ("rawKeyDown", "keyUp"):
            self._call("Input.dispatchKeyEvent", type=kind, key=key, code=key,
                       windowsVirtualKeyCode={"Tab": 9, "Escape": 27}[key])

    def tree(self):
        """What a screen reader is told: [(role, name)], in order."""
        nodes = self._call("Accessibility.getFullAXTree")["nodes"]
        return [(node["role"]["value"], node.get("name", {}).get("value", "")) for node in nodes if not node["ignored"]]

    def screenshot(self, whole=True):
        return base64.b64decode(self._call("Page.captureScreenshot", format="png", captureBeyondViewport=whole)["data"])
