"""Requests as bytes, and what must come of each: the table of the suite.

A case names the RFC section that it is about, the requests that a handler may
see, in order, and the status of the refusal that ends the connection, if any.
Every request that is seen is answered with 200. Penstock is stricter than a
MAY or SHOULD where two agents could read the bytes differently.
"""

from typing import NamedTuple


class Seen(NamedTuple):
    method: str
    target: str
    body: bytes = b""


class Case(NamedTuple):
    name: str
    rfc: str
    data: bytes
    seen: tuple
    refused: int  # 0: not at all

    @property
    def answers(self):
        return [200] * len(self.seen) + ([self.refused] if self.refused else [])


def get(target="/echo", *fields, line=None, host="Host: localhost"):
    """A request without a body; `line` instead of GET and target."""
    line = line or f"GET {target} HTTP/1.1"
    lines = [line, *([host] if host else []), *fields]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n"


def post(body, *fields, length=None, version="1.1"):
    length = len(body) if length is None else length
    return get("", *fields, f"Content-Length: {length}",
               line=f"POST /echo HTTP/{version}") + body


def chunked(coded, *fields, te="chunked"):
    return get("", f"Transfer-Encoding: {te}", *fields,
               line="POST /echo HTTP/1.1") + coded


GET = Seen("GET", "/echo")
END = b"0\r\n\r\n"
HELLO = b"5\r\nhello\r\n" + END
POSTED = Seen("POST", "/echo", b"hello")
NEXT = get("/echo?next")
SEEN_NEXT = Seen("GET", "/echo?next")

CASES = []


def case(name, rfc, data, *seen, refused=0):
    CASES.append(Case(name, rfc, data, seen, refused))


def bad(name, rfc, data, status=400, *seen):
    case(name, rfc, data, *seen, refused=status)


# RFC 9112 section 2: message parsing
case("a plain request", "9112 2.1", get(), GET)
case("an empty line before a request", "9112 2.2", b"\r\n" + get(), GET)
case("an empty line between requests", "9112 2.2",
     post(b"hello") + b"\r\n" + NEXT, POSTED, SEEN_NEXT)
bad("two empty lines before a request", "9112 2.2", b"\r\n\r\n" + get())
bad("bare lf as line end", "9112 2.2", b"GET /echo HTTP/1.1\nHost: localhost\n\n")
bad("bare lf between fields", "9112 2.2",
    b"GET /echo HTTP/1.1\r\nHost: localhost\nX: y\r\n\r\n")
bad("bare lf behind the fields", "9112 2.2",
    b"GET /echo HTTP/1.1\r\nHost: localhost\r\n\n")
bad("bare cr in a value", "9112 2.2", get("/echo", "X-A: b\rc"))
bad("cr cr lf", "9112 2.2", b"GET /echo HTTP/1.1\r\r\nHost: localhost\r\n\r\n")
bad("space before the first field", "9112 2.2", get("/echo", host=" Host: localhost"))
bad("credentials twice", "9110 5.3",
    get("/echo", "Authorization: Bearer a", "authorization: Bearer b"))
bad("a content type twice", "9110 5.3", post(b"hello", "Content-Type: text/csv",
                                            "Content-Type: text/csv"))
bad("nul in a value", "9110 5.5", get("/echo", "X-A: b\0c"))
bad("nul in the target", "9112 3.2", get("/ec\0ho"))
bad("nul as the method", "9112 3.1", get(line="\0 /echo HTTP/1.1"))
bad("not http", "9112 3", b"\x16\x03\x01 hello\r\n\r\n")
case("a higher minor version", "9110 6.2", get(line="GET /echo HTTP/1.2"), GET)
bad("a higher major version", "9110 15.6.6", get(line="GET /echo HTTP/2.0"), 505)
bad("http/0.9", "9110 15.6.6", get(line="GET /echo HTTP/0.9"), 505)
bad("the preface of http/2", "9110 15.6.6", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505)
bad("a version in small letters", "9112 2.3", get(line="GET /echo http/1.1"))
bad("a version of two digits", "9112 2.3", get(line="GET /echo HTTP/1.10"))
bad("a version without a minor", "9112 2.3", get(line="GET /echo HTTP/1"))

# Section 3: the request line
bad("no target", "9112 3", get(line="GET HTTP/1.1"))
bad("no version", "9112 3", get(line="GET /echo"))
bad("two spaces before the target", "9112 3", get(line="GET  /echo HTTP/1.1"))
bad("two spaces behind the target", "9112 3", get(line="GET /echo  HTTP/1.1"))
bad("a tab for a space", "9112 3", get(line="GET\t/echo HTTP/1.1"))
bad("a space behind the version", "9112 3", get(line="GET /echo HTTP/1.1 "))
bad("a space before the method", "9112 3", get(line=" GET /echo HTTP/1.1"))
bad("a space in the target", "9112 3.2", get(line="GET /ec ho HTTP/1.1"))
bad("a method that is no token", "9110 9.1", get(line="G(T /echo HTTP/1.1"))
bad("an unknown method", "9110 9.1", get(line="BREW /echo HTTP/1.1"), 501)
bad("a method in small letters", "9110 9.1", get(line="get /echo HTTP/1.1"), 501)
bad("a long method", "9112 3", get(line="A" * 500 + " /echo HTTP/1.1"), 501)
bad("trace", "9110 9.3.8", get(line="TRACE /echo HTTP/1.1"), 405)
bad("connect", "9110 9.3.6", get(line="CONNECT localhost:443 HTTP/1.1"), 405)

# Section 3.2: targets, and Host
case("options of the whole service", "9110 9.3.7", get(line="OPTIONS * HTTP/1.1"),
     Seen("OPTIONS", "*"))
case("a query", "9112 3.2.1", get("/echo?a=b&c=%20?/"), Seen("GET", "/echo?a=b&c=%20?/"))
case("an absolute target", "9112 3.2.2", get("https://localhost/echo?a"),
     Seen("GET", "/echo?a"))
case("an absolute target in capitals", "9112 3.2.2", get("HTTPS://LOCALHOST:443/echo"),
     GET)
bad("an absolute target of another host", "9112 3.2.2", get("https://other/echo"))
bad("an absolute target of another port", "9112 3.2.2", get("https://localhost:444/echo"))
bad("an absolute target with a user", "9110 4.2.4", get("https://me@localhost/echo"))
bad("an absolute target without a host", "9110 4.2.1", get("https:///echo"))
bad("an absolute target of another scheme", "9112 3.2.2", get("ftp://localhost/echo"))
bad("an authority as target", "9112 3.2.3", get("localhost:443"))
bad("an asterisk without options", "9112 3.2.4", get("*"))
bad("a relative target", "9112 3.2.1", get("echo"))
bad("a fragment", "9112 3.2", get("/echo#x"))
bad("a raw byte in the target", "9112 3.2", get("/\xe9cho"))
bad("a raw byte in the query", "9112 3.2", get("/echo?\xe9"))
bad("a quote in the target", "9112 3.2", get('/echo?"'))
bad("a backslash in the target", "9112 3.2", get("/a\\echo"))
bad("a dot segment", "3986 3.3", get("/a/../echo"))
bad("a dot segment at the end", "3986 3.3", get("/echo/.."))
bad("a single dot segment", "3986 3.3", get("/./echo"))
bad("an encoded dot segment", "3986 6.2.2", get("/a/%2e%2E/echo"))
bad("a half encoded dot segment", "3986 6.2.2", get("/a/.%2e/echo"))
bad("an encoding cut short", "3986 2.1", get("/echo%2"))
bad("an encoding that is not hex", "3986 2.1", get("/echo%zz"))
bad("an encoded nul", "3986 2.1", get("/echo%00"))
bad("an encoded line end", "3986 2.1", get("/echo%0d%0a"))
bad("encoded bytes that are not utf-8", "3629 3", get("/echo%c3"))
bad("encoded bytes of an overlong form", "3629 3", get("/%c0%afecho"))
bad("a surrogate", "3629 3", get("/%ed%a0%80"))
bad("a target too long", "9110 15.5.15", get("/" + "a" * 7000), 414)
bad("a target without end", "9110 15.5.15", b"GET /" + b"a" * 9000, 414)
bad("no host", "9112 3.2", get(host=None))
bad("two hosts", "9112 3.2", get("/echo", "Host: other"))
bad("two equal hosts", "9112 3.2", get("/echo", "Host: localhost"))
bad("an empty host", "9112 3.2", get(host="Host:"))
bad("a host with a path", "9112 3.2", get(host="Host: localhost/x"))
bad("a host with a user", "9112 3.2", get(host="Host: me@localhost"))
bad("a list of hosts", "9112 3.2", get(host="Host: localhost, other"))
bad("a host with a port that is none", "9112 3.2", get(host="Host: localhost:x"))
bad("a name that begins like host", "9112 3.2", get(host="Hostile: localhost"))
case("a host with a port", "9110 7.2", get(host="Host: localhost:8443"), GET)
case("an ip6 host", "9110 7.2", get(host="Host: [::1]:8443"), GET)
case("host in capitals", "9110 5.1", get(host="HOST: LOCALHOST"), GET)

# Section 5: fields
case("an empty value", "9110 5.5", get("/echo", "X-A:"), GET)
case("a value of spaces", "9110 5.5", get("/echo", "X-A: \t "), GET)
case("tabs and obs-text in a value", "9110 5.5", get("/echo", "X-A: \tb\tc\xe9 "), GET)
case("no space behind the colon", "9112 5", get("/echo", "X-A:b"), GET)
case("forty fields", "9110 5.4", get("/echo", *[f"X-{i}: y" for i in range(40)]), GET)
bad("folding", "9112 5.2", get("/echo", "X-A: b", " c"))
bad("folding with a tab", "9112 5.2", get("/echo", "X-A: b", "\tc"))
bad("a space before the colon", "9112 5.1", get("/echo", "X-A : b"))
bad("a space before the colon of a length", "9112 5.1",
    get("/echo", "Content-Length : 5", line="POST /echo HTTP/1.1") + b"hello")
bad("no colon", "9112 5", get("/echo", "X-A"))
bad("no name", "9110 5.1", get("/echo", ": b"))
bad("a name that is no token", "9110 5.1", get("/echo", "X(A): b"))
bad("obs-text in a name", "9110 5.1", get("/echo", "X-\xe9: b"))
bad("a control in a value", "9110 5.5", get("/echo", "X-A: b\x01c"))
bad("del in a value", "9110 5.5", get("/echo", "X-A: b\x7fc"))
bad("too many fields", "6585 5", get("/echo", *[f"X-{i}: y" for i in range(100)]), 431)
bad("too large a field", "6585 5", get("/echo", "X-A: " + "b" * 8192), 431)
bad("fields without end", "6585 5", b"GET /echo HTTP/1.1\r\nX-A: " + b"b" * 9000, 431)

# Section 6: bodies
case("a body", "9112 6.2", post(b"hello"), POSTED)
case("a length of zero", "9112 6.2", post(b""), Seen("POST", "/echo"))
case("a length with leading zeros", "9110 8.6", post(b"hello", length="0005"), POSTED)
case("no length means no body", "9112 6.3", get(line="POST /echo HTTP/1.1") + NEXT,
     Seen("POST", "/echo"), SEEN_NEXT)
case("a length of zero on get", "9110 9.3.1", get("/echo", "Content-Length: 0"), GET)
bad("a body on get", "9110 9.3.1", get("/echo", "Content-Length: 5") + b"hello")
bad("a body on head", "9110 9.3.2",
    get("/echo", "Content-Length: 5", line="HEAD /echo HTTP/1.1") + b"hello")
bad("a body on delete", "9110 9.3.5",
    get("/echo", "Content-Length: 5", line="DELETE /echo HTTP/1.1") + b"hello")
bad("a chunked body on get", "9110 9.3.1", get("/echo", "Transfer-Encoding: chunked") + HELLO)
bad("two lengths", "9112 6.3", post(b"hello", "Content-Length: 6"))
bad("two equal lengths", "9112 6.3", post(b"hello", "Content-Length: 5"))
bad("a list of lengths", "9112 6.3", post(b"hello", length="5, 5"))
bad("a signed length", "9110 8.6", post(b"hello", length="+5"))
bad("a negative length", "9110 8.6", post(b"hello", length="-5"))
bad("a hex length", "9110 8.6", post(b"hello", length="0x5"))
bad("an empty length", "9110 8.6", post(b"hello", length=""))
bad("a length with a space", "9110 8.6", post(b"hello", length="1 5"))
bad("a length beyond 64 bits", "9110 8.6", post(b"hello", length="18446744073709551621"))
bad("too large a body", "9110 15.5.14", post(b"hello", length="99999999999"), 413)
case("a body that does not come", "9112 8", post(b"hell", length=5))
bad("a length and chunked", "9112 6.3", post(HELLO, "Transfer-Encoding: chunked"))
bad("chunked and a length", "9112 6.3", chunked(HELLO, "Content-Length: 5"))
bad("chunked twice", "9112 6.1", chunked(HELLO, te="chunked, chunked"))
bad("chunked in two fields", "9112 6.1", chunked(HELLO, "Transfer-Encoding: chunked"))
bad("chunked not last", "9112 6.3", chunked(HELLO, te="chunked, identity"))
bad("an unknown coding", "9112 6.1", chunked(HELLO, te="xchunked"), 501)
bad("gzip before chunked", "9112 6.1", chunked(HELLO, te="gzip, chunked"), 501)
bad("identity", "9112 6.1", chunked(HELLO, te="identity"), 501)
bad("a coding with a control", "9110 5.5", chunked(HELLO, te="\x0bchunked"))
bad("a coding in quotes", "9112 6.1", chunked(HELLO, te='"chunked"'), 501)
bad("chunked in http/1.0", "9112 6.1",
    get("/echo", "Transfer-Encoding: chunked", line="POST /echo HTTP/1.0") + HELLO)
bad("an old post without a length", "9110 15.5.12", get(line="POST /echo HTTP/1.0"), 411)

# Section 7.1: the chunked coding
case("chunked", "9112 7.1", chunked(HELLO), POSTED)
case("chunked in capitals", "9112 7", chunked(HELLO, te="CHUNKED"), POSTED)
case("chunked of nothing", "9112 7.1", chunked(END), Seen("POST", "/echo"))
case("chunks", "9112 7.1", chunked(b"2\r\nhe\r\n03\r\nllo\r\n" + END), POSTED)
case("a chunk with line ends", "9112 7.1", chunked(b"A\r\n\r\n0\r\n\r\nabc\r\n" + END),
     Seen("POST", "/echo", b"\r\n0\r\n\r\nabc"))
case("a request behind chunks", "9112 9.3.2", chunked(HELLO) + NEXT, POSTED, SEEN_NEXT)
case("a chunk extension", "9112 7.1.1", chunked(b'5;a=b;c="d"\r\nhello\r\n' + END), POSTED)
case("a space before a chunk extension", "9112 7.1.1",
     chunked(b"5 ;a\r\nhello\r\n" + END), POSTED)
case("a trailer field", "9112 7.1.2", chunked(b"5\r\nhello\r\n0\r\nX-A: b\r\n\r\n") + NEXT,
     POSTED, SEEN_NEXT)
case("trailer fields that frame", "9110 6.5.1",
     chunked(b"5\r\nhello\r\n0\r\nContent-Length: 9\r\nHost: other\r\n\r\n") + NEXT,
     POSTED, SEEN_NEXT)
bad("a bare lf behind a chunk size", "9112 7.1", chunked(b"5\nhello\r\n" + END))
bad("a bare lf behind a chunk", "9112 7.1", chunked(b"5\r\nhello\n" + END))
bad("a bare lf in a chunk extension", "9112 7.1.1", chunked(b"5;a\nhello\r\n" + END))
bad("a bare cr in a chunk extension", "9112 7.1.1", chunked(b"5;a\rb\r\nhello\r\n" + END))
bad("a bare lf at the end", "9112 7.1", chunked(b"5\r\nhello\r\n0\r\n\n"))
bad("a space behind a chunk size", "9112 7.1", chunked(b"5 \r\nhello\r\n" + END))
bad("a space before a chunk size", "9112 7.1", chunked(b" 5\r\nhello\r\n" + END))
bad("a chunk size with 0x", "9112 7.1", chunked(b"0x5\r\nhello\r\n" + END))
bad("a signed chunk size", "9112 7.1", chunked(b"+5\r\nhello\r\n" + END))
bad("a negative chunk size", "9112 7.1", chunked(b"-5\r\nhello\r\n" + END))
bad("no chunk size", "9112 7.1", chunked(b"\r\nhello\r\n" + END))
bad("a chunk size beyond 64 bits", "9112 7.1", chunked(b"10000000000000005\r\nhello\r\n" + END))
bad("a chunk longer than its size", "9112 7.1", chunked(b"4\r\nhello\r\n" + END))
bad("a chunk shorter than its size", "9112 7.1", chunked(b"6\r\nhello\r\n" + END))
bad("too large a chunk", "9110 15.5.14", chunked(b"FFFFFFFF\r\nhello"), 413)
bad("too long an extension", "9112 7.1.1", chunked(b"5;" + b"a" * 5000 + b"\r\nhello\r\n" + END), 413)
bad("too long a trailer", "6585 5", chunked(b"0\r\nX-A: " + b"a" * 5000 + b"\r\n\r\n"), 431)
bad("a trailer that is no field", "9112 7.1.2", chunked(b"0\r\nGET /echo?next HTTP/1.1\r\n\r\n"))
bad("a folded trailer", "9112 5.2", chunked(b"0\r\nX-A: b\r\n c\r\n\r\n"))
case("chunks that do not end", "9112 8", chunked(b"5\r\nhello\r\n"))

# Section 9: connections
case("three requests at once", "9112 9.3.2", get("/echo?1") + post(b"hello") + get("/echo?3"),
     Seen("GET", "/echo?1"), POSTED, Seen("GET", "/echo?3"))
case("many requests at once", "9112 9.3.2", b"".join(get(f"/echo?{i}") for i in range(300)),
     *[Seen("GET", f"/echo?{i}") for i in range(300)])
bad("a bad request behind a good one", "9112 9.3.2", get() + b"x\r\n\r\n" + NEXT, 400, GET)
bad("bytes behind a body", "9112 9.3.2", post(b"hellox", length=5) + b"\r\n\r\n", 400, POSTED)
case("close", "9112 9.6", get("/echo", "Connection: close") + NEXT, GET)
case("close within a list", "9110 7.6.1", get("/echo", "Connection: x , Close") + NEXT, GET)
case("close in a second field", "9110 5.3",
     get("/echo", "Connection: keep-alive", "Connection: close") + NEXT, GET)
case("a name that begins like close", "9110 7.6.1",
     get("/echo", "Connection: closed") + NEXT, GET, SEEN_NEXT)
case("http/1.0", "9112 9.3", get(line="GET /echo HTTP/1.0", host=None) + NEXT, GET)
case("http/1.0 that asks to stay", "9112 9.3",
     get("/echo", "Connection: Keep-Alive", line="GET /echo HTTP/1.0") + NEXT, GET, SEEN_NEXT)
case("http/1.0 that says both", "9112 9.3",
     get("/echo", "Connection: close, keep-alive", line="GET /echo HTTP/1.0") + NEXT, GET)
case("an upgrade nobody offers", "9110 7.8",
     get("/echo", "Connection: upgrade", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAAP__"),
     GET)
bad("an unknown expectation", "9110 10.1.1", post(b"hello", "Expect: fly"), 417)
case("an expectation in http/1.0", "9110 10.1.1",
     post(b"hello", "Expect: 100-continue", version="1.0"), POSTED)
case("an expectation with its body", "9110 10.1.1", post(b"hello", "Expect: 100-continue"),
     POSTED)
