"""A mail server on loopback that takes mails or refuses them as told."""

import socketserver
import threading
from contextlib import contextmanager


class _Session(socketserver.StreamRequestHandler):
    def handle(self):
        self.say("220 ready")
        while line := self.rfile.readline().decode().strip():
            word = line.split(":")[0].split()[0].upper()
            if word == "RCPT":
                self.say(self.server.recipient_answer)
                self.server.recipient_answer = self.server.then or self.server.recipient_answer
            elif word == "DATA":
                self.say("354 go on")
                lines = iter(self.rfile.readline, b".\r\n")
                self.server.taken.append(b"".join(lines).decode())
                self.say(self.server.data_answer)
            elif word == "QUIT":
                self.say("221 bye")
                return
            else:
                self.say("250 ok")

    def say(self, line):
        self.wfile.write(f"{line}\r\n".encode())


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    recipient_answer = data_answer = "250 ok"
    then = ""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Session)
        self.taken: list[str] = []


@contextmanager
def smtp_server(settings):
    """Mail goes to this server while it runs; `taken` are the mails it took, `recipient_answer` and `data_answer` its words.

    `then` is what it says about the recipients after the first one, if something else.
    """
    with _Server() as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = server.server_address
        settings.EMAIL_HOST_USER = settings.EMAIL_HOST_PASSWORD = ""
        settings.EMAIL_USE_TLS = settings.EMAIL_USE_SSL = False
        yield server
        server.shutdown()
