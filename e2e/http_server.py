"""A small HTTP/1.1 server with known delays, run inside a lab's namespace: python3 http_server.py ADDRESS PORT [CERT].

/stream/N   header at once, first chunk after 30 ms, then N - 1 more, 10 ms apart; with ?vary=X the header after up to 19 ms and
            the first chunk up to 39 ms later than that, neither as of X + 1
/slow       answers after 20 ms
/status/S   answers with status S
POST        answers after 25 ms with the number of bytes it read
"""

import http.server
import ssl
import sys
import time


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = 0

    def do_GET(self):
        path, _, query = self.path.partition("?")
        part = path.split("/")
        if part[1] == "stream":
            self.stream(int(part[2]), int(query.removeprefix("vary=")) if query.startswith("vary=") else 0)
        elif part[1] == "status":
            self.answer(int(part[2]), b"as asked\n")
        else:
            if part[1] == "slow":
                time.sleep(0.02)
            self.answer(200, b"hello\n")

    def do_POST(self):
        size = len(self.rfile.read(int(self.headers["Content-Length"])))
        time.sleep(0.025)
        self.answer(200, f"{size}\n".encode())

    def answer(self, status, body):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def stream(self, chunks, vary):
        time.sleep(vary * 7 % 20 / 1000)
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for number in range(chunks):
            time.sleep(0.03 + vary * 11 % 40 / 1000 if number == 0 else 0.01)
            self.wfile.write(b"e\r\ndata: token%02d\n\r\n" % number)
        self.wfile.write(b"0\r\n\r\n")

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    disable_nagle_algorithm = True


def main():
    Handler.disable_nagle_algorithm = True
    server = Server((sys.argv[1], int(sys.argv[2])), Handler)
    if len(sys.argv) > 3:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(sys.argv[3])
        server.socket = context.wrap_socket(server.socket, server_side=True)
    print("ready", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
