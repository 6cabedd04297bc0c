"""A small HTTP server on loopback that takes incoming webhooks. Prints {"port": …}, and writes each request into a folder as
N.json: its path and body. The file `status` there holds the status that it answers with; 200 if there is none.
"""

import http.server
import json
import os
import pathlib
import sys

folder = pathlib.Path(sys.argv[1])


class Hook(http.server.BaseHTTPRequestHandler):
    count = 0

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        Hook.count += 1
        beside = folder / "new"
        beside.write_text(json.dumps({"path": self.path, "body": body}))
        os.replace(beside, folder / f"{Hook.count}.json")
        try:
            status = int((folder / "status").read_text())
        except FileNotFoundError:
            status = 200
        answer = b"ok" if status == 200 else b"no\x1b[31m such hook"
        self.send_response(status)
        if status == 302:
            self.send_header("Location", "/elsewhere")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hook)
print(json.dumps({"port": server.server_address[1]}), flush=True)
server.serve_forever()
