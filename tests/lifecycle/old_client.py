"""A client as they were written years ago, with nothing but Python's own library: tells what it was answered, a line each."""

import http.client
import http.cookiejar
import json
import ssl
import sys
import urllib.error
import urllib.parse
import urllib.request

address, certificate, password = sys.argv[1:]
context = ssl.create_default_context(cafile=certificate)
opener = urllib.request.build_opener(
    urllib.request.ProxyHandler({}),
    urllib.request.HTTPSHandler(context=context),
    urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()),
)


def ask(method, path, body=None, **headers):
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    request = urllib.request.Request(f"https://{address}{path}", data=body, headers=headers, method=method)
    try:
        with opener.open(request, timeout=60) as reply:
            print(method, path, reply.status, reply.read().decode())
    except urllib.error.HTTPError as failure:
        print(method, path, failure.code, failure.read().decode())


def form(**fields):
    return urllib.parse.urlencode(fields).encode()


ask("GET", "/2011-12-03/queues")
ask("POST", "/2011-12-03/auth/login", form(username="boss", password=password), X_API_Version="2011-12-03")
ask("POST", "/2011-12-03/queues", json.dumps({"name": "law"}).encode())
ask("POST", "/2011-12-03/users", form(name="ann"))
ask("POST", "/2011-12-03/queues/2/operators", json.dumps({"userId": 3}).encode(), Content_Type="application/json")
ask("PUT", "/2013-07-21/queues/2/operators/3", form(enabled=""), X_API_Version="2013-07-21")
ask("GET", "/2016-02-10/queues/2/operators/", b"{}", Content_Type="application/json")
ask("POST", "/api/queues/2/operators/3", form(enabled="1", _method="put"))
ask("DELETE", "/2011-12-03/queues/2/operators/3", b"{}")
ask("POST", "/2011-12-03/queues", form(name="two words"))

# What is asked on one connection, with a body behind every head that nobody wants.
connection = http.client.HTTPSConnection(*address.split(":"), context=context, timeout=60)
connection.connect()
socket = connection.sock
for method, path, version in [
    ("GET", "users/3", "2011-12-03"),
    ("DELETE", "users/3", "2011-12-03"),
    ("PUT", "users/3", "2525-01-01"),
    ("POST", "users/3", "2011-12-03"),
    ("POST", "transcripts", "2011-12-03"),
    ("GET", "users", "2011-12-03"),
]:
    connection.request(method, f"/2011-12-03/{path}", b"{}", {"X-API-Version": version})
    reply = connection.getresponse()
    reply.read()
    print(method, path, reply.status, "on one connection:", connection.sock is socket)
