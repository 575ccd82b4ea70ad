"""An XMPP client of the test's chat server: it lets everybody see its presence, follows one JID, and prints each presence of
that as a line, until it is ended: `client.py JID PASSWORD FOLLOWED`.

Standard library only, and without encryption: it runs on the machine of the test, in the network of the container.
"""

import base64
import socket
import sys
import xml.etree.ElementTree as ET

CLIENT = "{jabber:client}"


def main(jid, password, followed):
    user, domain = jid.split("@")
    link = socket.create_connection(("127.0.0.1", 5222), timeout=20)
    elements = open_stream(link, domain)
    wait_for(elements, "{http://etherx.jabber.org/streams}features")
    login = base64.b64encode(f"\0{user}\0{password}".encode()).decode()
    send(link, f"<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>{login}</auth>")
    wait_for(elements, "{urn:ietf:params:xml:ns:xmpp-sasl}success")
    elements = open_stream(link, domain)
    wait_for(elements, "{http://etherx.jabber.org/streams}features")
    send(link, "<iq type='set' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>")
    wait_for(elements, CLIENT + "iq")
    send(link, f"<presence/><presence type='subscribe' to='{followed}'/>")
    # The stream is open for as long as this client is.
    link.settimeout(None)
    for element in elements:
        answer(link, element, followed)


def answer(link, element, followed):
    kind, who = element.get("type"), element.get("from", "")
    if element.tag == CLIENT + "presence" and kind == "subscribe":
        send(link, f"<presence type='subscribed' to='{who}'/>")
    elif element.tag == CLIENT + "presence" and who.split("/")[0] == followed:
        print(kind or element.findtext(CLIENT + "show") or "available", flush=True)
    elif element.tag == CLIENT + "iq" and kind == "get":
        send(link, f"<iq type='result' to='{who}' id='{element.get('id')}'/>")


def send(link, text):
    link.sendall(text.encode())


def open_stream(link, domain):
    """Opens a stream, and gives what comes on it, one element of the stream after the other."""
    send(link, f"<stream:stream to='{domain}' version='1.0' xmlns='jabber:client' "
               "xmlns:stream='http://etherx.jabber.org/streams'>")
    return read(link)


def read(link):
    parser = ET.XMLPullParser(["start", "end"])
    depth = 0
    while data := link.recv(65536):
        parser.feed(data)
        for event, element in parser.read_events():
            depth += 1 if event == "start" else -1
            if event == "end" and depth == 1:
                yield element


def wait_for(elements, tag):
    for element in elements:
        if element.tag == tag:
            return
        sys.exit(f"client.py: {ET.tostring(element, 'unicode')} came, where {tag} was expected")
    sys.exit(f"client.py: the stream ended before {tag}")


main(*sys.argv[1:])
