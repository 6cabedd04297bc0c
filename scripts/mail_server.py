"""A mail server on loopback for the tests and the demo: aiosmtpd, with and without TLS and authentication.

It prints one line of JSON, {"port": …}, once it listens, and writes each mail into a folder as N.json: who it is from and
for, its headers, its text and its HTML. `stats.json` there tells the connections: how many at once at most, and in all.

What it does with a recipient is in the file `policy.json` of the folder, which is read anew for each: the reply to RCPT TO by
address, e.g. {"gone@example.org": "550 no such user"}. While a file `hold` is there, a mail that was written down is not
acknowledged. With --names-only it writes none down, and prints a line with the recipient and the Message-ID of each.
"""

import argparse
import asyncio
import email
import email.parser
import email.policy
import json
import os
import pathlib
import ssl

from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword


def write_whole(path, content):
    beside = path.with_suffix(".new")
    beside.write_text(json.dumps(content))
    os.replace(beside, path)


class Counted(SMTP):
    now = most = total = 0
    folder = None

    def connection_made(self, transport):
        # STARTTLS makes the connection anew: it is the same one.
        if not getattr(self, "counted", False):
            self.counted = True
            Counted.now += 1
            Counted.total += 1
            Counted.most = max(Counted.most, Counted.now)
            write_whole(Counted.folder / "stats.json", {"most": Counted.most, "total": Counted.total})
        super().connection_made(transport)

    def connection_lost(self, error):
        if getattr(self, "counted", False):
            self.counted = False
            Counted.now -= 1
        super().connection_lost(error)


class Written:
    def __init__(self, folder, names_only):
        self.folder, self.names_only = folder, names_only
        numbers = [int(path.stem) for path in folder.glob("[0-9]*.json")]
        self.count = max(numbers, default=0)

    async def handle_RCPT(self, server, session, envelope, address, options):
        try:
            policy = json.loads((self.folder / "policy.json").read_text())
        except FileNotFoundError:
            policy = {}
        if address in policy:
            return policy[address]
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(options)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        if self.names_only:
            mail = email.parser.BytesHeaderParser().parsebytes(envelope.content)
            print(json.dumps([envelope.rcpt_tos, mail["Message-ID"]]), flush=True)
            return "250 taken"
        mail = email.message_from_bytes(envelope.content, policy=email.policy.default)
        parts = {part.get_content_type(): part.get_content() for part in mail.walk() if not part.is_multipart()}
        self.count += 1
        write_whole(
            self.folder / f"{self.count}.json",
            {
                "from": envelope.mail_from,
                "to": envelope.rcpt_tos,
                "headers": [[name, str(value)] for name, value in mail.items()],
                "text": parts.get("text/plain"),
                "html": parts.get("text/html"),
                "encrypted": server.transport.get_extra_info("sslcontext") is not None,
                "signed_in": bool(session.authenticated),
            },
        )
        while (self.folder / "hold").exists():
            await asyncio.sleep(0.01)
        return "250 taken"


def credentials(user, password):
    def check(server, session, envelope, mechanism, given):
        right = (
            isinstance(given, LoginPassword)
            and given.login == user.encode()
            and given.password == password.encode()
        )
        return AuthResult(success=right, handled=False)

    return check


async def serve(arguments):
    Counted.folder = arguments.folder
    context = None
    if arguments.tls != "none":
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(arguments.certificate, arguments.key)
    options = {"hostname": "mail.test", "enable_SMTPUTF8": True, "loop": asyncio.get_running_loop()}
    if arguments.tls == "starttls":
        options |= {"tls_context": context, "require_starttls": True}
    if arguments.user:
        options |= {
            "authenticator": credentials(arguments.user, arguments.password),
            "auth_required": True,
            "auth_require_tls": arguments.tls == "starttls",
        }
    handler = Written(arguments.folder, arguments.names_only)
    server = await asyncio.get_running_loop().create_server(
        lambda: Counted(handler, **options),
        "127.0.0.1",
        arguments.port,
        ssl=context if arguments.tls == "implicit" else None,
    )
    print(json.dumps({"port": server.sockets[0].getsockname()[1]}), flush=True)
    await server.serve_forever()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--tls", choices=["none", "starttls", "implicit"], default="none")
    parser.add_argument("--certificate")
    parser.add_argument("--key")
    parser.add_argument("--user")
    parser.add_argument("--password")
    parser.add_argument("--names-only", action="store_true", help="write no mail down; print a line for each")
    asyncio.run(serve(parser.parse_args()))


if __name__ == "__main__":
    main()
