"""What the server answers, byte by byte: good requests, bad ones, files, uploads."""

import hashlib
import json
import os
import re
import socket
import ssl

import certificates
import processes
import wire
from keyward import SharedSystemCase, for_each_user

UPLOAD_CAP = 1 << 20


class HttpCase(SharedSystemCase):
    extra_flags = ()

    @classmethod
    def prepare(cls):
        authority = certificates.Authority(os.path.join(cls.base, "good"), "Good CA")
        cls.client = authority.leaf("client")
        cls.flags = ("--listen", "127.0.0.1:0", "--no-browser", "--client-ca", authority.certificate, *cls.extra_flags)

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.ca = cls.system.ca_file()

    def connect(self, **options):
        return wire.connect(self.system.port, self.ca, self.client, **options)

    def exchange(self, data):
        return wire.exchange(self.system.port, self.ca, self.client, data)

    def request(self, method, target, headers="", body=b""):
        """One whole request on a connection of its own. Returns (status, headers, body)."""
        head = f"{method} {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{headers}"
        if body:
            head += f"Content-Length: {len(body)}\r\n"
        return wire.split(self.exchange(head.encode("latin-1") + b"\r\n" + body))

    def expect_hello(self):
        status, _, body = self.request("GET", "/hello")
        self.assertEqual((status, body.strip()), (200, b"Hello World"))


@for_each_user
class Api(HttpCase):
    def test_hello(self):
        self.expect_hello()

    def test_api_get_names_the_verified_client(self):
        status, headers, body = self.request("GET", "/api/get")
        self.assertEqual(status, 200)
        self.assertTrue(headers["content-type"].startswith("application/json"), headers)
        answer = json.loads(body)
        self.assertIn("test client", answer["client"]["subject"])
        with open(self.client[0], encoding="ascii") as pem:
            der = ssl.PEM_cert_to_DER_cert(pem.read())
        self.assertEqual(answer["client"]["fingerprint"].lower().replace(":", ""), hashlib.sha256(der).hexdigest())
        serial = certificates.openssl("x509", "-in", self.client[0], "-noout", "-serial").strip().split("=")[1]
        self.assertEqual(answer["client"]["serial"].lower().lstrip("0"), serial.lower().lstrip("0"))
        self.assertIsNone(answer["client"]["handle"], "its key is the test's own")
        self.assertIn("message", answer)
        self.assertIn("timestamp", answer)

    def test_the_built_in_page(self):
        status, headers, body = self.request("GET", "/")
        self.assertEqual(status, 200)
        self.assertTrue(headers["content-type"].startswith("text/html"), headers)
        scripts = re.findall(r'<script src="([^"]+)"', body.decode())
        for script, asks in zip(scripts, (b"/api/get", b"/keyward/alive"), strict=True):
            status, headers, body = self.request("GET", script)
            self.assertEqual(status, 200)
            self.assertTrue(headers["content-type"].startswith("text/javascript"), headers)
            self.assertIn(asks, body)


class Http1(HttpCase):
    def test_keep_alive_answers_one_request_after_another(self):
        request = b"GET /hello HTTP/1.1\r\nHost: localhost\r\n\r\n"
        last = b"GET /hello HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        self.assertEqual(wire.responses(self.exchange(request * 4 + last)), [200] * 5)

    def test_head_has_headers_and_no_body(self):
        status, headers, body = self.request("HEAD", "/hello")
        self.assertEqual((status, body), (200, b""))
        self.assertEqual(int(headers["content-length"]), len(self.request("GET", "/hello")[2]))

    def test_unknown_paths_and_methods(self):
        self.assertEqual(self.request("GET", "/no/such/thing")[0], 404)
        self.assertEqual(self.request("DELETE", "/hello")[0], 405)

    def test_a_chunked_body_nobody_asked_for_is_read_and_dropped(self):
        request = (b"GET /hello HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
                   b"5\r\nhello\r\n0\r\n\r\n"
                   b"GET /hello HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        self.assertEqual(wire.responses(self.exchange(request)), [200, 200])


def bad_requests():
    """Returns {name: (request, statuses that are right)}. After each the server has to close the connection."""
    host = b"Host: localhost\r\n"
    smuggled = b"GET /hello HTTP/1.1\r\nHost: localhost\r\nX: smuggled\r\n\r\n"
    get = b"GET /hello HTTP/1.1\r\n"
    post = get + host  # with a body; a method that /hello does not have would be refused before it
    return {
        "a target that is too long": (b"GET /" + b"a" * 10000 + b" HTTP/1.1\r\n" + host + b"\r\n", {414}),
        "headers that are too long": (get + host + b"X: " + b"a" * 40000 + b"\r\n\r\n", {431}),
        "too many headers": (get + host + b"X: y\r\n" * 200 + b"\r\n", {431}),
        "a chunk size that is no number": (post + b"Transfer-Encoding: chunked\r\n\r\nzz\r\nhello\r\n" + smuggled, {400}),
        "a chunk size beyond all numbers":
            (post + b"Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\nhello\r\n" + smuggled, {400, 413}),
        "a chunk longer than its size":
            (post + b"Transfer-Encoding: chunked\r\n\r\n3\r\nhello\r\n0\r\n\r\n" + smuggled, {400}),
        "both lengths": (post + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + smuggled, {400}),
        "both lengths, the other way":
            (post + b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n" + smuggled, {400}),
        "two lengths": (post + b"Content-Length: 4\r\nContent-Length: 5\r\n\r\nabcde" + smuggled, {400}),
        "a length with a sign": (post + b"Content-Length: +4\r\n\r\nabcd" + smuggled, {400}),
        "a negative length": (post + b"Content-Length: -1\r\n\r\n" + smuggled, {400}),
        "a length beyond all numbers": (post + b"Content-Length: 99999999999999999999\r\n\r\n" + smuggled, {400, 413}),
        "a body that nobody asked for": (post + b"Content-Length: 1000000000\r\n\r\n" + b"a" * 1000, {413}),
        "an unknown coding": (post + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" + smuggled, {400, 501}),
        "chunked not last": (post + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n" + smuggled, {400, 501}),
        "a space before the colon": (post + b"Content-Length : 4\r\n\r\nabcd" + smuggled, {400}),
        "a folded header": (get + host + b"X: a\r\n b\r\n\r\n" + smuggled, {400}),
        "a NUL in a header": (get + host + b"X: a\0b\r\n\r\n" + smuggled, {400}),
        "a bare CR in a header": (get + host + b"X: a\rb\r\n\r\n" + smuggled, {400}),
        "no host": (get + b"\r\n" + smuggled, {400}),
        "two hosts": (get + host + b"Host: other\r\n\r\n" + smuggled, {400}),
        "a version that is none": (b"GET /hello HTTP/9.9\r\n" + host + b"\r\n" + smuggled, {400, 505}),
        "a method that is none": (b"G\x01T /hello HTTP/1.1\r\n" + host + b"\r\n" + smuggled, {400, 501}),
        "a control character in the target": (b"GET /he\x01llo HTTP/1.1\r\n" + host + b"\r\n" + smuggled, {400}),
        "no HTTP at all": (bytes(range(1, 256)) * 4, {400}),
        "TLS inside TLS": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 100, {400}),
    }


class BadRequests(HttpCase):
    def check(self, request, statuses):
        mark = self.system.mark()
        answers = wire.responses(self.exchange(request))
        self.assertEqual(len(answers), 1, f"one answer and no more: {answers}")
        self.assertIn(answers[0], statuses)
        self.system.wait_line(rf"^web\[\d+\]: request refused .*status={answers[0]}", since=mark)
        self.expect_hello()

    def test_a_half_request_is_no_request(self):
        """The client goes away in the middle: no answer is owed, and the server goes on."""
        with self.connect() as connection:
            connection.sendall(b"GET /hello HTT")
        self.expect_hello()

    def test_http2_garbage_closes_the_connection(self):
        with self.connect(alpn="h2") as connection:
            self.assertEqual(connection.selected_alpn_protocol(), "h2")
            wire.send_all(connection, b"GET /hello HTTP/1.1\r\nHost: localhost\r\n\r\n" * 3)
            self.assertNotIn(b"Hello World", wire.read_to_end(connection))
        self.expect_hello()

    def test_http2_frame_that_is_too_long(self):
        preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0"
        with self.connect(alpn="h2") as connection:
            wire.send_all(connection, preface + b"\xff\xff\xff\1\4\0\0\0\1" + b"a" * 20000)
            received = wire.read_to_end(connection)
        self.assertIn(b"\x07\0\0\0\0\0", received, "a GOAWAY frame")
        self.expect_hello()

    def test_no_tls_at_all(self):
        with socket.create_connection(("127.0.0.1", self.system.port), wire.TIMEOUT_S) as plain:
            plain.settimeout(wire.TIMEOUT_S)
            wire.send_all(plain, b"GET /hello HTTP/1.1\r\nHost: localhost\r\n\r\n")
            self.assertNotIn(b"Hello World", wire.read_to_end(plain))
        self.expect_hello()


def add_bad_request_tests():
    for name, (request, statuses) in bad_requests().items():
        def test(self, request=request, statuses=statuses):
            self.check(request, statuses)
        setattr(BadRequests, "test_" + name.replace(" ", "_").replace(",", ""), test)


add_bad_request_tests()


class Files(HttpCase):
    INDEX = b"<!doctype html><title>root</title>"
    SECRET = b"outside of the root"

    @classmethod
    def prepare(cls):
        root = os.path.join(cls.base, "root")
        os.makedirs(os.path.join(root, "sub"))
        for name, content in {
                "index.html": cls.INDEX, "app.js": b"1;", "style.css": b"a{}", "data.json": b"{}", "picture.png": b"P",
                "sub/page.html": b"sub", "large.bin": os.urandom(3 << 20)}.items():
            with open(os.path.join(root, name), "wb") as out:
                out.write(content)
        with open(os.path.join(cls.base, "secret.txt"), "wb") as out:
            out.write(cls.SECRET)
        os.symlink("../secret.txt", os.path.join(root, "link.txt"))
        os.symlink(cls.base, os.path.join(root, "linked"))
        os.symlink("sub/page.html", os.path.join(root, "inside.html"))
        cls.root = root
        cls.extra_flags = ("--root", root)
        super().prepare()

    def test_types(self):
        for target, content_type in (("/", "text/html"), ("/app.js", "text/javascript"), ("/style.css", "text/css"),
                                     ("/data.json", "application/json"), ("/picture.png", "image/png"),
                                     ("/sub/page.html", "text/html")):
            with self.subTest(target):
                status, headers, _ = self.request("GET", target)
                self.assertEqual(status, 200)
                self.assertTrue(headers["content-type"].startswith(content_type), headers)
        self.assertEqual(self.request("GET", "/")[2], self.INDEX)

    def test_a_large_file_comes_whole(self):
        with open(os.path.join(self.root, "large.bin"), "rb") as file:
            self.assertEqual(self.request("GET", "/large.bin")[2], file.read())

    def test_etag(self):
        _, headers, _ = self.request("GET", "/index.html")
        again, _, body = self.request("GET", "/index.html", f"If-None-Match: {headers['etag']}\r\n")
        self.assertEqual((again, body), (304, b""))
        self.assertEqual(self.request("GET", "/index.html", 'If-None-Match: "other"\r\n')[0], 200)

    def test_last_modified(self):
        _, headers, _ = self.request("GET", "/index.html")
        since = f"If-Modified-Since: {headers['last-modified']}\r\n"
        self.assertEqual(self.request("GET", "/index.html", since)[0], 304)

    def test_the_etag_changes_with_the_file(self):
        path = os.path.join(self.root, "changing.txt")
        tags = []
        for content in (b"one", b"two, longer"):
            with open(path, "wb") as out:
                out.write(content)
            tags.append(self.request("GET", "/changing.txt")[1]["etag"])
        self.assertNotEqual(*tags)

    def test_nothing_outside_of_the_root(self):
        for target in ("/../secret.txt", "/sub/../../secret.txt", "/%2e%2e/secret.txt", "/..%2fsecret.txt",
                       "/sub/%2e%2e/%2e%2e/secret.txt", "/link.txt", "/linked/secret.txt", "//etc/passwd",
                       "/..\\secret.txt", "/%00/../secret.txt", self.base + "/secret.txt", "/%c0%ae%c0%ae/secret.txt"):
            with self.subTest(target):
                status, _, body = self.request("GET", target)
                self.assertIn(status, (400, 403, 404))
                self.assertNotIn(self.SECRET, body)

    def test_a_directory_is_not_listed(self):
        status, _, body = self.request("GET", "/sub")
        self.assertNotIn(b"page.html", body)
        self.assertIn(status, (301, 308, 403, 404))

    def test_the_api_is_there_beside_the_files(self):
        self.expect_hello()


class App(HttpCase):
    """What a single-page app is made of: hashed names, compressed siblings, pages that only the app knows."""

    PAGE = "Accept: text/html,*/*;q=0.8\r\n"

    @classmethod
    def prepare(cls):
        root = os.path.join(cls.base, "dist")
        os.makedirs(os.path.join(root, "assets"))
        for name, content in {"index.html": b"the app", "assets/index-BX1a2b3c.js": b"plain",
                              "assets/index-BX1a2b3c.js.gz": b"packed", "video.mp4": bytes(range(256)) * 1000}.items():
            with open(os.path.join(root, name), "wb") as out:
                out.write(content)
        cls.extra_flags = ("--root", root, "--spa")
        super().prepare()

    def test_pages(self):
        for target in ("/", "/settings", "/user/7/edit"):
            with self.subTest(target):
                status, headers, body = self.request("GET", target, self.PAGE)
                self.assertEqual((status, body), (200, b"the app"))
                self.assertEqual(headers["cache-control"], "no-cache")
        self.assertEqual(self.request("GET", "/settings.json", self.PAGE)[0], 404)
        self.assertEqual(self.request("GET", "/settings")[0], 404)

    def test_assets(self):
        status, headers, body = self.request("GET", "/assets/index-BX1a2b3c.js", "Accept-Encoding: br, gzip\r\n")
        self.assertEqual((status, body, headers["content-encoding"]), (200, b"packed", "gzip"))
        self.assertEqual(headers["cache-control"], "public, max-age=31536000, immutable")

    def test_ranges(self):
        status, headers, body = self.request("GET", "/video.mp4", "Range: bytes=255990-\r\n")
        self.assertEqual((status, body, headers["content-range"]),
                         (206, bytes(range(246, 256)), "bytes 255990-255999/256000"))
        status, headers, body = self.request("GET", "/video.mp4", "Range: bytes=0-0,255-255\r\n")
        self.assertEqual(status, 206)
        self.assertTrue(headers["content-type"].startswith("multipart/byteranges; boundary="))
        self.assertIn(b"Content-Range: bytes 255-255/256000\r\n\r\n\xff\r\n--", body)


class AccessLog(HttpCase):
    extra_flags = ("--access-log", "json", "--header", "X-Frame-Options: DENY", "--header", "Referrer-Policy:")

    def test_each_request_is_an_object(self):
        mark = self.system.mark()
        _, headers, _ = self.request("GET", "/hello", "User-Agent: a \"b\"\r\n")
        line = self.system.wait_line(headers["x-request-id"], since=mark)
        record = json.loads(line.string)
        self.assertEqual((record["path"], record["status"], record["user_agent"]), ("/hello", 200, 'a "b"'))
        self.assertIn("test client", record["subject"])

    def test_the_headers_are_the_operators(self):
        _, headers, _ = self.request("GET", "/hello")
        self.assertEqual(headers["x-frame-options"], "DENY")
        self.assertNotIn("referrer-policy", headers)
        self.assertIn("content-security-policy", headers)


@for_each_user
class Uploads(HttpCase):
    @classmethod
    def prepare(cls):
        cls.uploads = os.path.join(cls.base, "uploads")
        os.makedirs(cls.uploads)
        os.chmod(cls.uploads, 0o1777)
        config = os.path.join(cls.base, "keyward.ini")
        with open(config, "w", encoding="ascii") as out:
            out.write(f"[web]\nmax_upload = {UPLOAD_CAP}\n")
        cls.extra_flags = ("--uploads", cls.uploads, "--config", config)
        super().prepare()

    def stored(self):
        return sorted(os.listdir(self.uploads))

    def read(self, name):
        with open(os.path.join(self.uploads, name), "rb") as file:
            return file.read()

    def test_what_is_put_is_stored(self):
        content = os.urandom(300_000)
        status, _, _ = self.request("PUT", "/upload/picture.jpg", body=content)
        self.assertEqual(status, 201)
        self.assertEqual(self.read("picture.jpg"), content)

    def test_a_second_put_replaces_the_first(self):
        self.request("PUT", "/upload/again", body=b"first, longer")
        status, _, _ = self.request("PUT", "/upload/again", body=b"second")
        self.assertIn(status, (200, 204))
        self.assertEqual(self.read("again"), b"second")

    def test_chunked(self):
        answer = self.exchange(b"PUT /upload/chunked HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
                               b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n")
        self.assertEqual(wire.responses(answer), [201])
        self.assertEqual(self.read("chunked"), b"hello world")

    def test_at_the_cap_and_beyond(self):
        self.assertEqual(self.request("PUT", "/upload/full", body=b"a" * UPLOAD_CAP)[0], 201)
        self.assertEqual(len(self.read("full")), UPLOAD_CAP)
        before = self.stored()
        self.assertEqual(self.request("PUT", "/upload/over", body=b"a" * (UPLOAD_CAP + 1))[0], 413)
        self.assertEqual(self.stored(), before)

    def test_beyond_the_cap_in_chunks(self):
        before = self.stored()
        chunk = b"10000\r\n" + b"a" * 65536 + b"\r\n"
        answer = self.exchange(b"PUT /upload/over HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n" +
                               chunk * (UPLOAD_CAP // 65536 + 1) + b"0\r\n\r\n")
        self.assertEqual(wire.responses(answer), [413])
        self.assertEqual(self.stored(), before)

    def test_an_upload_that_breaks_off_leaves_nothing(self):
        before = self.stored()
        with self.connect() as connection:
            connection.sendall(b"PUT /upload/broken HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n" + b"a" * 500)
        self.expect_hello()
        processes.wait_until(lambda: self.stored() == before, 10, lambda: f"left: {self.stored()}")

    def test_nothing_is_there_before_it_is_whole(self):
        with self.connect() as connection:
            connection.sendall(b"PUT /upload/slow HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
                               b"Content-Length: 1000\r\n\r\n" + b"a" * 999)
            self.expect_hello()
            self.assertNotIn("slow", self.stored())
            connection.sendall(b"b")
            self.assertEqual(wire.responses(wire.read_to_end(connection)), [201])
        self.assertEqual(self.read("slow"), b"a" * 999 + b"b")

    def test_names_that_are_none(self):
        before = self.stored()
        for name in ("", ".", "..", "..%2fescaped", "a/b", "%2e%2e%2fescaped", ".hidden", "a%00b", "n" * 200):
            with self.subTest(name):
                self.assertIn(self.request("PUT", "/upload/" + name, body=b"x")[0], (400, 403, 404, 405, 414))
        self.assertEqual(self.stored(), before)
        self.assertFalse(os.path.exists(os.path.join(self.base, "escaped")))


@for_each_user
class Quota(HttpCase):
    @classmethod
    def prepare(cls):
        cls.uploads = os.path.join(cls.base, "quota-uploads")
        os.makedirs(cls.uploads)
        os.chmod(cls.uploads, 0o1777)
        config = os.path.join(cls.base, "quota.ini")
        with open(config, "w", encoding="ascii") as out:
            out.write("[web]\nworkers = 2\n[content]\nupload_quota = 1000\n")
        cls.extra_flags = ("--uploads", cls.uploads, "--config", config)
        super().prepare()

    def put(self, name, size):
        return self.request("PUT", "/upload/" + name, body=b"a" * size)[0]

    def test_the_directory_holds_no_more(self):
        """Whichever worker a connection reaches, it knows what the others have taken."""
        for i in range(10):
            self.assertEqual(self.put(f"file-{i}", 100), 201)
        for _ in range(10):
            self.assertEqual(self.put("one-more", 1), 507)
        os.remove(os.path.join(self.uploads, "file-0"))
        processes.wait_until(lambda: self.put("after", 100) == 201, 10, lambda: f"no room: {os.listdir(self.uploads)}")
        self.assertEqual(sum(entry.stat().st_size for entry in os.scandir(self.uploads)), 1000)


class WithoutUploads(HttpCase):
    def test_there_is_no_upload(self):
        self.assertIn(self.request("PUT", "/upload/x", body=b"x")[0], (403, 404, 405))
