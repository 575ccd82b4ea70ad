"""Operators and an admin serve themselves, with the ad-hoc commands plugin of slixmpp.

Usage: commands.py PORT
The XMPP server listens on 127.0.0.1:PORT and has ann, bob and sue on localhost, with the password pw. They are users of one
account, ann staffs the queue law, and sue is an admin of the account. Prints what it does; fails at the first surprise.
"""

import asyncio
import sys

from slixmpp import ClientXMPP
from slixmpp.exceptions import IqError

HERE = "queues.localhost"
LAW = "law@queues.localhost"
PATIENCE = 20


class Person(ClientXMPP):
    """A client that is logged in, shows itself, and remembers what law told it."""

    def __init__(self, name, port):
        super().__init__(f"{name}@localhost/phone", "pw")
        self.port = port
        self.enable_direct_tls = self.enable_starttls = False
        self.enable_plaintext = True
        self.told = asyncio.Queue()
        self.up = asyncio.Event()
        for plugin in ("xep_0004", "xep_0030", "xep_0050", "xep_0054", "xep_0059", "xep_0115"):
            self.register_plugin(plugin)
        mechanisms = {"unencrypted_plain": True, "unencrypted_scram": True, "unencrypted_digest": True}
        self.plugin["feature_mechanisms"].config.update(mechanisms)
        for name, value in mechanisms.items():
            setattr(self.plugin["feature_mechanisms"], name, value)
        self.add_event_handler("session_start", self.started)
        for show in ("chat", "available", "away", "dnd", "xa", "unavailable"):
            self.add_event_handler(f"presence_{show}", self.heard)
        self.add_event_handler("failed_all_auth", lambda _: print("could not log in"))

    async def started(self, _):
        await self.get_roster()
        self.send_presence(pshow="chat")
        self.up.set()

    def heard(self, presence):
        if presence["from"].bare == LAW:
            self.told.put_nowait(presence)

    async def login(self):
        self.connect("127.0.0.1", self.port)
        await asyncio.wait_for(self.up.wait(), PATIENCE)
        return self

    async def law_is(self, kind, status):
        """Waits until law says so; clients may be told more than once, and of what was before."""
        while True:
            presence = await asyncio.wait_for(self.told.get(), PATIENCE)
            print(f"  law -> {self.boundjid.user}: {presence['type']} {presence['status']!r}")
            if (presence["type"], presence["status"]) == (kind, status):
                return presence

    async def nodes(self, at):
        items = await self.plugin["xep_0050"].get_commands(at)
        return {node for (_, node, _) in items["disco_items"]["items"]}

    async def run(self, at, node, *stages):
        """Runs a command with the plugin's own sessions. Each stage is an action and what is filled in."""
        done = asyncio.get_running_loop().create_future()
        waiting = list(stages)

        def after(iq, session):
            command = iq["command"]
            if command["status"] == "completed" or not waiting:
                return done.set_result(iq)
            action, filled = waiting.pop(0)
            form = command["form"]
            submit = self.plugin["xep_0004"].make_form(ftype="submit")
            # What is hidden is sent back as it came.
            for var, field in form.get_fields().items():
                if field["type"] == "hidden":
                    submit.add_field(var=var, value=field["value"])
            for var, value in filled.items():
                assert var in form.get_fields(), f"{var} is no field of {form}"
                submit.add_field(var=var, value=value)
            assert action in command["actions"], f"{action} is not offered: {command['actions']}"
            session["payload"] = submit
            session["next"] = after
            if action == "complete":
                self.plugin["xep_0050"].complete_command(session)
            else:
                self.plugin["xep_0050"].continue_command(session, direction=action)

        def failed(iq, session):
            # Else the plugin would take the next error for one of this session.
            self.plugin["xep_0050"].terminate_command(session)
            done.set_exception(IqError(iq))

        self.plugin["xep_0050"].start_command(at, node, {"next": after, "error": failed})
        iq = await asyncio.wait_for(done, PATIENCE)
        notes = [text for (_, text) in iq["command"]["notes"]]
        print(f"  {self.boundjid.user} {node}: {iq['command']['status']} {notes}")
        return iq

    async def table(self, at, node, *stages):
        """The rows of the table that a command answers with."""
        iq = await self.run(at, node, *stages)
        form = iq["command"]["form"]
        columns = list(form["reported"])
        return [[item[column] for column in columns] for item in form["items"]]


def same(found, expected):
    assert found == expected, f"{found!r} is not {expected!r}"


def note(iq):
    same(iq["command"]["status"], "completed")
    return [text for (_, text) in iq["command"]["notes"]][0]


async def refused(running, condition):
    try:
        await running
    except IqError as error:
        same(error.condition, condition)
    else:
        raise AssertionError(f"this should have been refused: {condition}")


async def main(port):
    ann, bob, sue = [await Person(name, port).login() for name in ("ann", "bob", "sue")]

    print("what there is")
    features = (await ann.plugin["xep_0030"].get_info(HERE))["disco_info"]["features"]
    assert "http://jabber.org/protocol/commands" in features, features
    items = (await bob.plugin["xep_0030"].get_items(HERE))["disco_items"]["items"]
    same({(jid, name) for (jid, _, name) in items}, {(LAW, "law")})
    own = {"my-queues", "suspend-me", "resume-me", "who-is-on"}
    manage = {"assign", "unassign", "suspend", "resume"}
    same(await ann.nodes(HERE), own)
    same(await ann.nodes(LAW), own)
    same(await bob.nodes(HERE), {"my-queues", "who-is-on"})
    same(await sue.nodes(HERE), {"my-queues", "who-is-on"} | manage)
    info = await ann.plugin["xep_0030"].get_info(HERE, node="suspend-me")
    assert ("automation", "command-node", None, "Suspend me") in info["disco_info"]["identities"], info

    print("bob follows law")
    bob.send_presence(pto=LAW, ptype="subscribe")
    presence = await bob.law_is("chat", "The one operator takes work now")
    caps = presence["caps"]
    info = await bob.plugin["xep_0030"].get_info(LAW, node=f"{caps['node']}#{caps['ver']}")
    same(bob.plugin["xep_0115"].generate_verstring(info["disco_info"], caps["hash"]), caps["ver"])
    card = await bob.plugin["xep_0054"].get_vcard(LAW)
    same(card["vcard_temp"]["FN"], "law")

    print("ann suspends herself and resumes")
    suspended = await ann.run(LAW, "suspend-me", ("complete", {"queue": "law", "reason": "lunch, <back> at 2"}))
    same(note(suspended), "You are suspended on law: lunch, <back> at 2")
    await bob.law_is("unavailable", "No operator is enabled")
    status = "No operator is enabled"
    same(await ann.table(HERE, "my-queues"), [["law", "unavailable", status, "suspended", "lunch, <back> at 2"]])
    same(await sue.table(LAW, "who-is-on"), [["ann", "chat", "suspended", "lunch, <back> at 2"]])
    same(note(await ann.run(HERE, "resume-me", ("complete", {"queue": "@all"}))), "You are enabled on law again.")
    await bob.law_is("chat", "The one operator takes work now")
    same(await ann.table(HERE, "my-queues"), [["law", "chat", "The one operator takes work now", "enabled", ""]])
    same(await bob.table(HERE, "who-is-on", ("complete", {"queue": "law"})), [["ann", "chat", "enabled", ""]])

    print("who is no admin is refused")
    await refused(ann.run(HERE, "assign"), "forbidden")
    await refused(bob.run(LAW, "suspend"), "forbidden")
    await refused(bob.run(LAW, "suspend-me"), "forbidden")
    await refused(ann.run(HERE, "no-such-command"), "item-not-found")

    print("sue assigns bob, with a step back, and suspends him")
    stages = [
        ("next", {"queue": "law"}),
        ("prev", {}),
        ("next", {"queue": "law"}),
        ("complete", {"user": "bob@localhost"}),
    ]
    same(note(await sue.run(HERE, "assign", *stages)), "bob is assigned to law.")
    # bob is asked whether he may be seen, his client says yes, and then he takes work.
    await bob.law_is("chat", "2 of 2 operators take work now")
    same(note(await sue.run(LAW, "suspend", ("complete", {"user": "bob@localhost"}))), "bob is suspended on law.")
    await bob.law_is("chat", "The one operator takes work now")
    same(note(await bob.run(LAW, "resume-me", ("complete", {"queue": "law"}))), "You are enabled on law again.")
    await bob.law_is("chat", "2 of 2 operators take work now")

    print("a form that is canceled changes nothing")
    form = await ann.plugin["xep_0050"].send_command(LAW, "suspend-me")
    session = form["command"]["sessionid"]
    ended = await ann.plugin["xep_0050"].send_command(LAW, "suspend-me", action="cancel", sessionid=session)
    same((ended["command"]["status"], ended["command"]["sessionid"]), ("canceled", session))
    await refused(ann.plugin["xep_0050"].send_command(LAW, "suspend-me", action="dance", sessionid=session), "bad-request")
    await refused(bob.plugin["xep_0050"].send_command(LAW, "suspend-me", action="next", sessionid=session), "bad-request")

    for person in (ann, bob, sue):
        await person.disconnect()
    print("all is well")


if __name__ == "__main__":
    asyncio.run(asyncio.wait_for(main(int(sys.argv[1])), 50))
