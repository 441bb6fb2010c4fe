"""The studio's calendar: Radicale (CalDAV) on a socket that somebody else keeps open.

    python -m tools.studio.calendar_server --fd 3 --folder /tmp/my-studio/calendar

Radicale's own command cannot do two things we need: take over a listening socket, so that whoever comes while it is
being started again waits instead of being refused, and leave out fsync, which is for files that must outlive the
machine. So this puts Radicale's WSGI application behind the same server of the standard library that its command uses.
Whoever wants in needs the password in the folder's ``htpasswd``: a port of 127.0.0.1 is open to all users of a machine.
"""

from __future__ import annotations

import argparse
import socket
import sys
from pathlib import Path
from socketserver import ThreadingMixIn
from wsgiref.simple_server import WSGIServer

from radicale import config, log
from radicale.app import Application
from radicale.server import RequestHandler

OWNER = "studio"
READ_SECONDS = 30  # a client that has connected and says nothing is let go


class Server(ThreadingMixIn, WSGIServer):
    """One thread per connection, as Radicale's own server has it."""

    daemon_threads = True

    def __init__(self, listener: socket.socket):
        super().__init__(listener.getsockname(), RequestHandler, bind_and_activate=False)
        self.socket.close()
        self.socket = listener
        # What binding would have set; asking for the host's name could take seconds.
        self.server_name, self.server_port = "localhost", listener.getsockname()[1]
        self.setup_environ()

    def get_request(self) -> tuple[socket.socket, tuple[str, int]]:
        """Accept a connection that cannot stay silent for ever."""
        connection, address = super().get_request()
        connection.settimeout(READ_SECONDS)
        return connection, address


def application(folder: Path) -> Application:
    """Make Radicale for the collections and the ``htpasswd`` of a folder."""
    configuration = config.load()
    settings = {
        "auth": {
            "type": "htpasswd",
            "htpasswd_filename": str(folder / "htpasswd"),
            "htpasswd_encryption": "plain",
            "htpasswd_cache": "True",
            "delay": "0",  # for who guesses; nobody guesses 24 random bytes, and clients ask without a password first
        },
        "rights": {"type": "owner_only"},
        "storage": {
            "filesystem_folder": str(folder / "collections"),
            "use_mtime_and_size_for_item_cache": "True",
            "_filesystem_fsync": "False",
        },
        "web": {"type": "none"},
    }
    configuration.update(settings, "the studio", privileged=True)
    log.setup()
    log.set_level("error", backtrace_on_debug=False, trace_filter="")
    return Application(configuration)


def main() -> int:
    """Read the command line and serve until killed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fd", type=int, required=True, help="the listening socket")
    parser.add_argument("--folder", type=Path, required=True, help="has htpasswd; the collections are kept here")
    options = parser.parse_args()
    server = Server(socket.socket(fileno=options.fd))
    server.set_app(application(options.folder))
    server.serve_forever()
    return 0


if __name__ == "__main__":
    sys.exit(main())
