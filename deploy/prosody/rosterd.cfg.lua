-- rosterd's component, for Prosody 0.12 or later.
--
-- Put this file into /etc/prosody/conf.d/ and set the domain and the secret: they are the `domain` and the `secret` of the
-- section [xmpp] of rosterd.toml. Prosody then waits for rosterd on 127.0.0.1:5347, which is `server` there.
--
-- The domain needs no DNS entry as long as only people on this server follow the queues.

Component "queues.example.org"
    component_secret = "change-me"
