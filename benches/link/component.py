"""What rosterd does, as a component on slixmpp: for `cargo bench --bench link` to compare with.

It keeps everybody's presence, knows the best show among the enabled operators of each queue, and sends a queue's presence
to its followers whenever that changes. After each connect it asks everybody, and tells nothing before all have answered.
With --lean it takes presence off slixmpp's stream with a handler of its own, and writes text; without, it uses slixmpp's
events and stanzas, as its documentation shows.
"""

import argparse
import asyncio
import logging
from xml.sax.saxutils import quoteattr

from slixmpp import ComponentXMPP
from slixmpp.xmlstream.handler import Callback
from slixmpp.xmlstream.matcher.base import MatcherBase

ORDER = ["chat", "available", "dnd", "away", "xa", "unavailable"]
RANK = {show: rank for rank, show in enumerate(ORDER)}
NS = "{jabber:component:accept}"


class Queue:
    """How many enabled operators have each show, and who follows."""

    def __init__(self, jid):
        self.jid = jid
        self.counts = [0] * len(ORDER)
        self.followers = []
        self.told = None

    def published(self):
        best = next((show for show, count in zip(ORDER, self.counts) if count), "unavailable")
        ready, enabled = self.counts[0] + self.counts[1], sum(self.counts)
        if enabled == 1:
            sentence = "The one operator takes work now" if ready else "The one operator takes no work now"
        elif ready == 0:
            sentence = f"None of {enabled} operators takes work now"
        elif ready == 1:
            sentence = f"1 of {enabled} operators takes work now"
        else:
            sentence = f"{ready} of {enabled} operators take work now"
        return best, sentence


class User:
    """A user's clients, and the queues they staff."""

    def __init__(self):
        self.clients = {}
        self.show = RANK["unavailable"]
        self.queues = []


class PresenceMatcher(MatcherBase):
    """Any presence, told by its tag alone."""

    def match(self, stanza):
        return stanza.name == "presence"


class Staffing(ComponentXMPP):
    def __init__(self, args):
        super().__init__(args.domain, args.secret, args.host, args.port)
        self.args = args
        self.watcher = f"staffing@{args.domain}"
        self.users, self.queues = {}, {}
        self.read(args.deployment)
        self.swept = False
        self.tell = self.tell_lean if args.lean else self.tell_stanza
        self.register_plugin("xep_0199")
        if args.lean:
            self.remove_handler("Presence")
            self.register_handler(Callback("Presence", PresenceMatcher(None), self.on_presence_lean))
        else:
            self.add_event_handler("presence", self.on_presence)
        self.add_event_handler("session_start", self.on_start)
        self.add_event_handler("disconnected", self.on_lost)

    def read(self, path):
        with open(path, encoding="utf-8") as lines:
            for line in lines:
                kind, jid, queue = line.split()
                queue = self.queues.setdefault(queue, Queue(queue))
                if kind == "operator":
                    self.users.setdefault(jid, User()).queues.append(queue)
                    queue.counts[RANK["unavailable"]] += 1
                else:
                    queue.followers.append(jid)

    async def on_start(self, _event):
        rate = max(1, self.args.rate // 20)
        for place, jid in enumerate(self.users):
            if place and place % rate == 0:
                await asyncio.sleep(0.05)
            self.send_raw(f"<presence from='{self.watcher}' to={quoteattr(jid)} type='probe'/>")
        await self["xep_0199"].send_ping(self.args.user_domain, ifrom=self.args.domain, timeout=60)
        await asyncio.sleep(self.args.quiet)
        self.swept = True
        for queue in self.queues.values():
            self.publish(queue)

    async def on_lost(self, _event):
        self.swept = False
        for user in self.users.values():
            user.clients.clear()
            self.changed(user)
        for queue in self.queues.values():
            queue.told = None
        self.connect()

    def on_presence_lean(self, stanza):
        xml = stanza.xml
        show = xml.get("type")
        if show is None:
            show = xml.findtext(NS + "show", "available").strip()
        self.seen(xml.get("from"), show, int(xml.findtext(NS + "priority", "0")))

    def on_presence(self, presence):
        self.seen(str(presence["from"]), presence["type"], presence["priority"])

    def seen(self, sender, show, priority):
        bare, _, resource = sender.partition("/")
        user = self.users.get(bare)
        if user is None:
            return
        if show == "unavailable":
            user.clients.pop(resource, None)
        else:
            user.clients[resource] = (RANK.get(show, RANK["available"]), priority)
        self.changed(user)

    def changed(self, user):
        shows = [show for show, priority in user.clients.values() if priority >= 0]
        show = min(shows, default=RANK["unavailable"])
        if show == user.show:
            return
        for queue in user.queues:
            queue.counts[user.show] -= 1
            queue.counts[show] += 1
            if self.swept:
                self.publish(queue)
        user.show = show

    def publish(self, queue):
        published = queue.published()
        if published != queue.told:
            queue.told = published
            for follower in queue.followers:
                self.tell(queue.jid, follower, *published)

    def tell_lean(self, queue, follower, show, sentence):
        kind = " type='unavailable'" if show == "unavailable" else ""
        word = "" if show in ("available", "unavailable") else f"<show>{show}</show>"
        self.send_raw(
            f"<presence from='{queue}' to='{follower}'{kind}>{word}<status>{sentence}</status></presence>"
        )

    def tell_stanza(self, queue, follower, show, sentence):
        kind = "unavailable" if show == "unavailable" else None
        word = None if show in ("available", "unavailable") else show
        self.send_presence(pfrom=queue, pto=follower, ptype=kind, pshow=word, pstatus=sentence)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("host")
    parser.add_argument("port", type=int)
    parser.add_argument("deployment", help="lines of: operator|follower JID QUEUE")
    parser.add_argument("--domain", required=True)
    parser.add_argument("--user-domain", required=True)
    parser.add_argument("--secret", required=True)
    parser.add_argument("--rate", type=int, required=True, help="probes a second")
    parser.add_argument("--quiet", type=float, required=True, help="seconds after the last answer")
    parser.add_argument("--lean", action="store_true")
    args = parser.parse_args()
    logging.basicConfig(level=logging.WARNING)
    component = Staffing(args)
    component.connect()
    component.loop.run_forever()


main()
