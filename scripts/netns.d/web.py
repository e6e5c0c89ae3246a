"""A server of HTTP: GET /N answers N bytes, POST answers the digest of what was sent."""

import hashlib
import http.server
import socket
import sys


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, body):
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-From", self.client_address[0])
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        self.answer(b"x" * int(self.path[1:] or 0))

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.answer(hashlib.sha256(body).hexdigest().encode())

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    address_family = socket.AF_INET6
    request_queue_size = 128


Server(("::", int(sys.argv[1])), Handler).serve_forever()
