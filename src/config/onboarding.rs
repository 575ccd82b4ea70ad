//! `[xmpp.onboarding]`: how users are brought to let us see their presence.

use std::{net::IpAddr, path::PathBuf};

use hyper::Uri;

use super::{
    Secret,
    reader::{self, Given, Key, Reader, Taken},
    secret,
};
use crate::domain;

/// `[xmpp.onboarding]`.
#[derive(Debug, Clone)]
pub struct Onboarding {
    /// How.
    pub method: domain::Onboarding,
    /// The group of contacts that operators find their queues in; `None`: they are not put there.
    pub roster_group: Option<String>,
    /// ejabberd's HTTP API, where that is how.
    pub api: Option<Api>,
}

/// Where ejabberd's HTTP API is, and who we are there.
#[derive(Debug, Clone)]
pub struct Api {
    /// `http://host:port/path` or `https://...`, without a slash at its end.
    pub url: Uri,
    /// How we log in.
    pub login: ApiLogin,
    /// A PEM file with the certificates that are trusted for https.
    pub ca: PathBuf,
}

/// How we log in to ejabberd's HTTP API.
#[derive(Debug, Clone)]
pub enum ApiLogin {
    /// Not at all: it lets this machine in.
    Nobody,
    /// As an account of the server, with its JID (RFC 7617).
    Account {
        /// The JID.
        user: String,
        /// Its password.
        password: Secret,
    },
    /// With a token of the server's (RFC 6750).
    Token(Secret),
}

impl Api {
    /// Whether what we log in with goes over a network where others can read it.
    #[must_use]
    pub fn is_in_the_clear(&self) -> bool {
        let host = self.url.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
        let is_here = host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
        let is_secret = match self.login {
            ApiLogin::Nobody => false,
            ApiLogin::Account { .. } | ApiLogin::Token(_) => true,
        };
        is_secret && !is_here && self.url.scheme_str() != Some("https")
    }
}

const METHOD: Key = Key {
    path: "xmpp.onboarding.method",
    value: Given::Default("\"subscribe\""),
    taken: Taken::AtStart,
    doc: "How operators come to be seen: \"subscribe\" asks each of them in their chat client; \"privilege\" has Prosody write \
          their rosters (mod_privilege), and \"ejabberd-api\" ejabberd (mod_http_api), so that nobody has to click. Where the \
          server does not let us, they are asked. Users on other domains than user_domain always are.",
};
const ROSTER_GROUP: Key = Key {
    path: "xmpp.onboarding.roster_group",
    value: Given::Default("\"\""),
    taken: Taken::AtStart,
    doc: "Put the queues that operators staff into their contact lists too, in the group of this name, such as \"Queues\": any \
          chat client then shows which are open. Empty: off. Needs another method than \"subscribe\". They are taken out when \
          the assignment ends.",
};
const API_URL: Key = Key {
    path: "xmpp.onboarding.api_url",
    value: Given::Optional("\"http://127.0.0.1:5281/api\""),
    taken: Taken::AtStart,
    doc: "Where ejabberd's HTTP API is (the handler mod_http_api), for the method \"ejabberd-api\". On another machine use https: \
          else others can read what rosterd logs in with.",
};
const API_USER: Key = Key {
    path: "xmpp.onboarding.api_user",
    value: Given::Optional("\"rosterd@example.org\""),
    taken: Taken::AtStart,
    doc: "The JID of the account that may use it, where ejabberd's api_permissions ask for one.",
};
const API_PASSWORD: Key = Key {
    path: "xmpp.onboarding.api_password",
    value: Given::Optional("\"change me\""),
    taken: Taken::AtStart,
    doc: "Its password. Set this or api_password_file.",
};
const API_PASSWORD_FILE: Key = Key {
    path: "xmpp.onboarding.api_password_file",
    value: Given::Optional("\"/etc/rosterd/api-password\""),
    taken: Taken::AtStart,
    doc: "A file that holds the password and nothing else. Set this or api_password.",
};
const API_TOKEN: Key = Key {
    path: "xmpp.onboarding.api_token",
    value: Given::Optional("\"change me\""),
    taken: Taken::AtStart,
    doc: "An OAuth token of ejabberd's, in place of api_user and a password. Set this or api_token_file.",
};
const API_TOKEN_FILE: Key = Key {
    path: "xmpp.onboarding.api_token_file",
    value: Given::Optional("\"/etc/rosterd/api-token\""),
    taken: Taken::AtStart,
    doc: "A file that holds the token and nothing else. Set this or api_token.",
};
const API_CA: Key = Key {
    path: "xmpp.onboarding.api_ca",
    value: Given::Default("\"/etc/ssl/certs/ca-certificates.crt\""),
    taken: Taken::AtStart,
    doc: "The certificates that are trusted where api_url begins with https, a PEM file.",
};

pub(super) const KEYS: &[Key] =
    &[METHOD, ROSTER_GROUP, API_URL, API_USER, API_PASSWORD, API_PASSWORD_FILE, API_TOKEN, API_TOKEN_FILE, API_CA];

impl Onboarding {
    pub(super) fn read(keys: &mut Reader) -> Option<Self> {
        let has_url = keys.is_set(&API_URL);
        let method = keys.take(&METHOD, reader::choice(&domain::Onboarding::ALL, domain::Onboarding::as_str));
        let roster_group = keys.take(&ROSTER_GROUP, group);
        if matches!((method, &roster_group), (Some(domain::Onboarding::Subscribe), Some(Some(_)))) {
            keys.problem(&ROSTER_GROUP, "needs a method that can write rosters: \"privilege\" or \"ejabberd-api\"");
        }
        if method == Some(domain::Onboarding::EjabberdApi) && !has_url {
            keys.problem(
                &API_URL,
                "has to be set for the method \"ejabberd-api\", such as \"http://127.0.0.1:5281/api\"",
            );
        }
        let url = keys.take(&API_URL, url);
        let login = login(keys);
        let ca = keys.take(&API_CA, reader::path);
        let api = url.map(|url| Some(Api { url, login: login?, ca: ca? }));
        let api = if has_url { Some(api??) } else { None };
        Some(Self { method: method?, roster_group: roster_group?, api })
    }
}

fn login(keys: &mut Reader) -> Option<ApiLogin> {
    let is_account = keys.is_set(&API_USER);
    let user = keys.take(&API_USER, |value| {
        let user = reader::text(value)?;
        domain::BareJid::parse(&user).map(|jid| jid.to_string())
    });
    let has_password = keys.is_set(&API_PASSWORD) || keys.is_set(&API_PASSWORD_FILE);
    let has_token = keys.is_set(&API_TOKEN) || keys.is_set(&API_TOKEN_FILE);
    if is_account != has_password {
        keys.problem(&API_USER, "and a password (api_password or api_password_file) belong together: set both or none");
    }
    if is_account && has_token {
        keys.problem(&API_TOKEN, "is set together with xmpp.onboarding.api_user: set only one of them");
    }
    let password = secret::read(keys, &API_PASSWORD, &API_PASSWORD_FILE, "password for ejabberd's API");
    let token = secret::read(keys, &API_TOKEN, &API_TOKEN_FILE, "token for ejabberd's API");
    match (is_account, has_token) {
        (true, _) => Some(ApiLogin::Account { user: user?, password: password? }),
        (false, true) => token.map(ApiLogin::Token),
        (false, false) => Some(ApiLogin::Nobody),
    }
}

/// The name of a group of contacts; nothing for none.
fn group(value: ::config::Value) -> Result<Option<String>, String> {
    if value.kind == ::config::ValueKind::String(String::new()) {
        return Ok(None);
    }
    let group = reader::text(value)?;
    if group.chars().any(char::is_control) || group.trim() != group || group.chars().count() > 60 {
        return Err(format!("{group:?} is no name of a group: at most 60 characters, none of them invisible"));
    }
    Ok(Some(group))
}

fn url(value: ::config::Value) -> Result<Uri, String> {
    // Somebody may have put a password into it, so it is not shown.
    let wanted = || "is not a URL such as \"http://127.0.0.1:5281/api\", without a user and a question mark".to_owned();
    let text = reader::text(value).map_err(|_| wanted())?;
    let uri: Uri = text.trim_end_matches('/').parse().map_err(|_| wanted())?;
    let is_http = matches!(uri.scheme_str(), Some("http" | "https"));
    let is_plain = uri.host().is_some_and(|host| !host.is_empty()) && uri.query().is_none();
    let has_user = uri.authority().is_some_and(|authority| authority.as_str().contains('@'));
    if is_http && is_plain && !has_user { Ok(uri) } else { Err(wanted()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Onboarding, String> {
        let least = "[xmpp]\ndomain = 'queues.example.org'\nuser_domain = 'example.org'\nsecret = 'x'\n";
        let settings = crate::config::parse(&format!("{least}[xmpp.onboarding]\n{text}"));
        settings.map(|settings| settings.onboarding).map_err(|problems| problems.to_string())
    }

    #[test]
    fn what_can_be_set() {
        let none = parse("").unwrap();
        assert!(none.method == domain::Onboarding::Subscribe && none.roster_group.is_none() && none.api.is_none());
        let all = "method = 'ejabberd-api'\nroster_group = 'Queues'\napi_url = 'http://127.0.0.1:5281/api/'\n\
                   api_user = 'rosterd@example.org'\napi_password = 's3cr3t'";
        let all = parse(all).unwrap();
        assert_eq!(all.roster_group.as_deref(), Some("Queues"));
        let shown = format!("{all:?}");
        assert!(shown.contains("http://127.0.0.1:5281/api,") && shown.contains("rosterd@example.org"), "{shown}");
        assert!(!shown.contains("s3cr3t"), "{shown}");
        let token = parse("method = 'ejabberd-api'\napi_url = 'https://h/api'\napi_token = 's3cr3t'").unwrap();
        assert!(matches!(token.api.unwrap().login, ApiLogin::Token(token) if token.reveal() == "s3cr3t"));
        let local = parse("method = 'ejabberd-api'\napi_url = 'http://h'").unwrap();
        assert!(matches!(local.api.unwrap().login, ApiLogin::Nobody));
    }

    #[test]
    fn what_others_can_read() {
        let check = |url: &str, login: &str, expected: bool| {
            let read = parse(&format!("method = 'ejabberd-api'\napi_url = '{url}'\n{login}")).unwrap();
            assert_eq!(read.api.unwrap().is_in_the_clear(), expected, "{url} {login}");
        };
        let account = "api_user = 'rosterd@example.org'\napi_password = 's3cr3t'";
        for login in [account, "api_token = 's3cr3t'"] {
            for here in
                ["http://127.0.0.1:5281/api", "http://127.8.9.10/api", "http://[::1]:5281/api", "http://localhost/api"]
            {
                check(here, login, false);
            }
            check("http://192.0.2.1:5281/api", login, true);
            check("http://chat.example.org/api", login, true);
            check("https://chat.example.org/api", login, false);
        }
        check("http://chat.example.org/api", "", false);
    }

    #[test]
    fn what_is_wrong_is_said_and_no_secret_is() {
        let check = |text: &str, expected: &str| {
            let problems = parse(text).unwrap_err();
            assert!(problems.contains(expected), "{text}: {problems}");
            assert!(!problems.contains("s3cr3t"), "{problems}");
        };
        check("method = 'magic'", "one of these is wanted: subscribe, privilege, ejabberd-api");
        check("method = 'ejabberd-api'", "xmpp.onboarding.api_url: has to be set");
        check("roster_group = 'Queues'", "xmpp.onboarding.roster_group: needs a method");
        check("method = 'privilege'\nroster_group = \"a\\u0001b\"", "is no name of a group");
        check("methd = 'privilege'", "did you mean xmpp.onboarding.method?");
        let api = "method = 'ejabberd-api'\napi_url = 'http://h/api'\n";
        check(&format!("{api}api_user = 'rosterd@example.org'"), "belong together");
        check(&format!("{api}api_password = 's3cr3t'"), "belong together");
        check(&format!("{api}api_user = 'no jid at all'\napi_password = 's3cr3t'"), "api_user: ");
        check(&format!("{api}api_password = 's3cr3t'\napi_password_file = '/nonexistent'"), "set only one of them");
        check(&format!("{api}api_token = ['s3cr3t']"), "api_token: has to be a text");
        check(&format!("{api}api_user = 'a@b'\napi_password = 's3cr3t'\napi_token = 's3cr3t'"), "set only one of them");
        check(&format!("{api}api_token_file = '/nonexistent'"), "could not read the token for ejabberd's API from");
        for url in ["h/api", "ftp://h/api", "http://a:s3cr3t@h/api", "http://h/api?x=s3cr3t"] {
            check(&format!("api_url = '{url}'"), "xmpp.onboarding.api_url: is not a URL");
        }
    }
}
