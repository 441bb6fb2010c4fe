"""A server in front of the embedded studio, as other people's systems have one: TLS, an API key, a sign-in."""

from __future__ import annotations

import http.client
import json
import socket
import socketserver
import ssl
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

HOST = "127.0.0.1"
SECONDS = 60
# What belongs to one connection and not to the next (RFC 9110, 7.6.1).
OF_THE_CONNECTION = {"connection", "keep-alive", "transfer-encoding", "content-length", "host", "date", "server"}
SignIn = Callable[[str, dict[str, str]], tuple[int, dict[str, object]]]


@dataclass
class Front:
    """What a front is like, and what it has seen.

    Args:
        upstream: the URL of the API behind it.
        api_key: requests without this header `apikey` are answered 401; empty: none is asked for.
        sign_in: answers ``POST /auth/v1/token``: takes the grant type and the body, gives status and answer.
    """

    upstream: str
    api_key: str = ""
    sign_in: SignIn | None = None
    url: str = ""
    seen: list[tuple[str, str | None]] = field(default_factory=list)
    tokens: set[str] = field(default_factory=set)

    @property
    def turned_away(self) -> list[str]:
        """The paths of requests that came without the key."""
        return [path for path, key in self.seen if self.api_key and key != self.api_key]


@contextmanager
def in_front(front: Front, certificate: Path | None = None) -> Iterator[Front]:
    """Serve until the end of the block, with TLS where there is a file with key and certificate."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            front.seen.append((self.path, self.headers["apikey"]))
            front.tokens.add((self.headers["Authorization"] or "").removeprefix("Bearer "))
            status, headers, content = self.decided(body)
            self.send_response(status)
            for name, value in headers:
                if name.lower() not in OF_THE_CONNECTION:
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def decided(self, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
            plain = [("Content-Type", "application/json")]
            if front.api_key and self.headers["apikey"] != front.api_key:
                return 401, plain, b'{"message":"No API key found in request"}'
            if front.sign_in and self.path.startswith("/auth/v1/token?grant_type="):
                status, told = front.sign_in(self.path.partition("=")[2], json.loads(body))
                return status, plain, json.dumps(told).encode()
            place = urlsplit(front.upstream)
            upstream = http.client.HTTPConnection(place.hostname or HOST, place.port, timeout=SECONDS)
            headers = {name: value for name, value in self.headers.items() if name.lower() not in OF_THE_CONNECTION}
            try:
                upstream.request(self.command, self.path, body, headers)
                got = upstream.getresponse()
                return got.status, got.getheaders(), got.read()
            finally:
                upstream.close()

        do_GET = do_POST = do_PATCH = do_DELETE = do_HEAD = answer  # noqa: N815 - the names are http.server's

        def log_message(self, *_arguments: object) -> None:
            """Say nothing."""

    class Server(ThreadingHTTPServer):
        def handle_error(self, request: Any, client_address: Any) -> None:
            """Let go whoever does not like our certificate; any other error is one."""
            if not isinstance(sys.exc_info()[1], OSError):
                super().handle_error(request, client_address)

    server = Server((HOST, 0), Handler)
    server.daemon_threads = True
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        # The handshake belongs to the thread of each connection: nobody who stalls there stops the others.
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    front.url = f"{'https' if certificate else 'http'}://{HOST}:{server.server_port}"
    try:
        yield front
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def relayed(place: str) -> Iterator[int]:
    """Let a server on a socket in a folder of ours be reached at a port of this host, by programs of other users."""

    class Relay(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with socket.socket(socket.AF_UNIX) as server:
                server.connect(place)
                back = threading.Thread(target=pump, args=(server, self.request), daemon=True)
                back.start()
                pump(self.request, server)
                back.join()

    def pump(source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):  # the other side has gone, and that is the end of it
            while data := source.recv(1 << 16):
                sink.sendall(data)
        for end in (source, sink):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True

    server = Server((HOST, 0), Relay)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def make_certificates(folder: Path) -> tuple[Path, Path]:
    """Make a CA of one's own, and a certificate of it for this host.

    Returns:
        The CA's certificate, and a file with the server's key and certificate.
    """
    now = datetime.now(UTC)

    def builder(name: str) -> x509.CertificateBuilder:
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        begun = x509.CertificateBuilder().subject_name(subject).serial_number(x509.random_serial_number())
        return begun.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))

    def pem(certificate: x509.Certificate) -> bytes:
        return certificate.public_bytes(serialization.Encoding.PEM)

    ca_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    ca_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a CA of one's own")])
    ca = (
        builder("a CA of one's own")
        .issuer_name(ca_name)
        .public_key(ca_key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(ca_key.public_key()), critical=False)
        .add_extension(x509.KeyUsage(False, False, False, False, False, True, True, False, False), critical=True)
        .sign(ca_key, hashes.SHA256())
    )
    own = (
        builder("the API")
        .issuer_name(ca_name)
        .public_key(key.public_key())
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address(HOST))]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), critical=False)
        .sign(ca_key, hashes.SHA256())
    )
    (folder / "ca.pem").write_bytes(pem(ca))
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "server.pem").write_bytes(private + pem(own))
    return folder / "ca.pem", folder / "server.pem"
