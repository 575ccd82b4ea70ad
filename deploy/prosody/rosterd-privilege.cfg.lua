-- rosterd's component with privileges, for Prosody 0.12 or later: operators are seen without a click.
--
-- Use this file in place of rosterd.cfg.lua, with `method = "privilege"` in the section [xmpp.onboarding] of rosterd.toml. Set
-- the domains and the secret. The module mod_privilege is in Debian's package prosody-modules.
--
-- Load the module only where rosterd runs: while rosterd is away, every presence of everybody on the VirtualHost comes back
-- from the component as an error. Where that VirtualHost has a list of modules_enabled already, add "privilege" there and
-- leave the line out here.

VirtualHost "example.org"
    modules_enabled = { "privilege" }
    privileged_entities = {
        -- roster: rosterd may put itself into the contact lists of operators, and their queues. presence: it is told
        -- of everybody's presence, so that it need not ask after every start.
        ["queues.example.org"] = { roster = "both", presence = "managed_entity" };
    }

Component "queues.example.org"
    component_secret = "change-me"
    modules_enabled = { "privilege" }
