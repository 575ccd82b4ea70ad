//! Settings: a TOML file, then the environment (`ROSTERD__SECTION__KEY`). Unknown keys are errors, and every error is
//! reported at once.
//!
//! Each section has a file here: its keys with their defaults, and the struct that they are read into.

mod admin;
mod audit;
mod availability;
mod http;
mod log;
mod metrics;
mod onboarding;
mod presence;
mod reader;
mod reload;
mod secret;
mod store;
mod xmpp;

use std::{
    fmt,
    io::ErrorKind,
    path::{Path, PathBuf},
};

use ::config::{ConfigError, Environment, FileFormat, Format as _, Map, Source, Value};

pub use admin::Admin;
pub use audit::Audit;
pub use availability::Availability;
pub use http::{Http, ProxyHeader};
pub use log::{Directives, Format, Log};
pub use metrics::Metrics;
pub use onboarding::{Api, ApiLogin, Onboarding};
pub use presence::Presence;
pub use reader::{Given, Key, Taken};
use reader::{Reader, Secrets};
use reload::Values;
#[cfg(test)]
pub(crate) use reload::tests::changes;
pub use reload::{Change, Reloaded};
pub use secret::Secret;
pub use store::Store;
pub use xmpp::Xmpp;

/// Where the file is when nothing else is said.
pub const DEFAULT_PATH: &str = "/etc/rosterd/rosterd.toml";

/// All settings.
#[derive(Debug, Clone)]
pub struct Settings {
    /// `[xmpp]`.
    pub xmpp: Xmpp,
    /// `[xmpp.onboarding]`.
    pub onboarding: Onboarding,
    /// `[http]`.
    pub http: Http,
    /// `[store]`.
    pub store: Store,
    /// `[admin]`.
    pub admin: Admin,
    /// `[audit]`.
    pub audit: Audit,
    /// `[metrics]`.
    pub metrics: Metrics,
    /// `[presence]`.
    pub presence: Presence,
    /// `[availability]`.
    pub availability: Availability,
    /// `[log]`.
    pub log: Log,
    /// What each key is, to be compared.
    values: Values,
}

/// Something that is wrong with the settings.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// The key, `section.key`; empty when it is about the file as a whole.
    pub key: String,
    /// Where it was set, if it was.
    pub origin: Option<String>,
    /// What is wrong, and what to do.
    pub what: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        f.write_str(&self.what)?;
        self.origin.as_ref().map_or(Ok(()), |origin| write!(f, " (set in {origin})"))
    }
}

/// Everything that is wrong with the settings, in the order of the keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problems(pub Vec<Problem>);

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let noun = if self.0.len() == 1 { "problem" } else { "problems" };
        write!(f, "{} {noun} in the configuration", self.0.len())?;
        self.0.iter().try_for_each(|problem| write!(f, "\n  {problem}"))
    }
}

impl std::error::Error for Problems {}

/// Every key there is, section by section.
pub fn keys() -> impl Iterator<Item = &'static Key> {
    [
        xmpp::KEYS,
        onboarding::KEYS,
        http::KEYS,
        store::KEYS,
        admin::KEYS,
        audit::KEYS,
        metrics::KEYS,
        presence::KEYS,
        availability::KEYS,
        log::KEYS,
    ]
    .into_iter()
    .flatten()
}

/// Reads the settings from `path`, and over them what the environment sets. Without a `path` the file at [`DEFAULT_PATH`] is
/// read, which may be missing when the environment sets something.
///
/// # Errors
/// Everything that is wrong.
pub fn load(path: Option<&Path>) -> Result<Settings, Problems> {
    load_with(path, Secrets::Read(std::env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from)))
}

/// The same for a command, which is no part of the daemon: files that hold secrets are not touched, since who runs it may not
/// be allowed to read them, and the secrets in the settings are empty.
///
/// # Errors
/// As [`load`].
pub fn load_without_secrets(path: Option<&Path>) -> Result<Settings, Problems> {
    load_with(path, Secrets::LeftAlone)
}

fn load_with(path: Option<&Path>, secrets: Secrets) -> Result<Settings, Problems> {
    let (file, environment) = sources(path)?;
    read(file, environment, secrets)
}

/// The admin socket alone, whatever is wrong with other keys: where to find the daemon that is to say so itself, and to log it
/// (`rosterd reload`).
///
/// # Errors
/// As [`load`], as far as this key is concerned.
pub fn admin_socket(path: Option<&Path>) -> Result<PathBuf, Problems> {
    let (file, environment) = sources(path)?;
    let mut reader = Reader::new(collect(file, environment)?, Secrets::LeftAlone);
    match Admin::read(&mut reader) {
        Some(Admin { socket }) => Ok(socket),
        None => Err(Problems(reader.finish().1.into_iter().filter(|it| it.key.starts_with("admin.")).collect())),
    }
}

/// A file's text, and what it is called where something in it is wrong.
#[derive(Debug, Clone, Default)]
struct Text {
    text: String,
    origin: Option<String>,
}

impl Source for Text {
    fn clone_into_box(&self) -> Box<dyn Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Map<String, Value>, ConfigError> {
        let parsed = FileFormat::Toml.parse(self.origin.as_ref(), &self.text);
        parsed.map_err(|cause| ConfigError::FileParse { uri: self.origin.clone(), cause })
    }
}

fn sources(path: Option<&Path>) -> Result<(Text, Environment), Problems> {
    let environment = environment();
    let in_environment = environment.collect().is_ok_and(|found| !found.is_empty());
    let required = path.is_some() || !in_environment;
    Ok((file(path.unwrap_or(Path::new(DEFAULT_PATH)), required)?, environment))
}

/// The file, which may be missing where it is not `required`. One that is there is not left out because it can not be read.
fn file(path: &Path, required: bool) -> Result<Text, Problems> {
    // The library would call it by its way from the working directory.
    let origin = Some(path.display().to_string());
    let error = match std::fs::read_to_string(path) {
        Ok(text) => return Ok(Text { text, origin }),
        Err(error) if error.kind() == ErrorKind::NotFound && !required => return Ok(Text::default()),
        Err(error) => error,
    };
    let what_to_do = if error.kind() == ErrorKind::PermissionDenied {
        "Do this as root, or as the user that rosterd runs as"
    } else {
        "Name another file with --config FILE, or make this one: `rosterd check-config --example` prints one"
    };
    let what = format!("could not read {}: {error}. {what_to_do}", path.display());
    Err(Problems(vec![Problem { key: String::new(), origin: None, what }]))
}

/// Reads the settings from the text of a file alone.
///
/// # Errors
/// Everything that is wrong.
pub fn parse(text: &str) -> Result<Settings, Problems> {
    parse_with(text, Secrets::Read(None))
}

fn parse_with(text: &str, secrets: Secrets) -> Result<Settings, Problems> {
    let no_environment = environment().source(Some(Map::new()));
    read(Text { text: text.to_owned(), origin: None }, no_environment, secrets)
}

fn environment() -> Environment {
    Environment::with_prefix("ROSTERD").prefix_separator("__").separator("__")
}

/// What is said of a variable of the environment that is no text, before its value.
const NO_UNICODE: &str = "contains non-Unicode data";

/// All that is set, whatever it is.
fn collect(file: Text, environment: Environment) -> Result<Map<String, Value>, Problems> {
    let all = ::config::Config::builder().add_source(file).add_source(environment).build();
    all.and_then(|all| all.collect()).map_err(|error| whole(&error))
}

/// What is wrong with the file or the environment as a whole.
fn whole(error: &ConfigError) -> Problems {
    // A TOML error quotes the line that it is about, one of the environment its value, and a secret may stand there.
    let text = error.to_string();
    let text = text.find(NO_UNICODE).map_or(&*text, |at| &text[..at + NO_UNICODE.len()]);
    let kept: Vec<_> = text.lines().filter(|line| !line.contains(" |")).map(str::trim).collect();
    Problems(vec![Problem { key: String::new(), origin: None, what: kept.join(": ") }])
}

fn read(file: Text, environment: Environment, secrets: Secrets) -> Result<Settings, Problems> {
    let mut reader = Reader::new(collect(file, environment)?, secrets);
    let xmpp = Xmpp::read(&mut reader);
    let onboarding = Onboarding::read(&mut reader);
    let http = Http::read(&mut reader);
    let store = Store::read(&mut reader);
    let admin = Admin::read(&mut reader);
    let audit = Audit::read(&mut reader);
    let metrics = Metrics::read(&mut reader);
    let presence = Presence::read(&mut reader);
    let availability = Availability::read(&mut reader);
    let log = Log::read(&mut reader);
    let (values, problems) = reader.finish();
    let all = || {
        Some(Settings {
            xmpp: xmpp?,
            onboarding: onboarding?,
            http: http?,
            store: store?,
            admin: admin?,
            audit: audit?,
            metrics: metrics?,
            presence: presence?,
            availability: availability?,
            log: log?,
            values,
        })
    };
    match all() {
        Some(settings) if problems.is_empty() => Ok(settings),
        _ => Err(Problems(problems)),
    }
}

/// The file with every key, commented, with its default.
#[must_use]
pub fn example() -> String {
    let mut text = String::from(
        "# Settings of rosterd. Every key is here, with its default behind a `#`; what has no `#` has to be set.\n\
         # A key can also be set in the environment: ROSTERD__XMPP__SERVER is server in [xmpp].\n\
         # `rosterd check-config` says everything that is wrong with this file. After a change of it, `rosterd reload` has the\n\
         # running daemon take it over at once, but for keys that need a restart, which say so.\n",
    );
    let mut section = "";
    for key in keys() {
        let (its_section, name) = key.path.rsplit_once('.').unwrap_or_default();
        if its_section != section {
            section = its_section;
            text += &format!("\n[{section}]\n");
        }
        text += "\n";
        for line in wrapped(&key.description(), 110) {
            text += &format!("# {line}\n");
        }
        text += &match key.value {
            Given::Default(value) | Given::Optional(value) => format!("# {name} = {value}\n"),
            Given::Required(value) => format!("{name} = {value}\n"),
        };
    }
    text
}

fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let line = lines.last_mut().expect("there is one from the start");
        match line.len() {
            0 => line.push_str(word),
            length if length + 1 + word.len() <= width => *line += &format!(" {word}"),
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEAST: &str = "[xmpp]\ndomain = 'queues.example.org'\nuser_domain = 'example.org'\nsecret = 's3cr3t'\n";

    fn problems(text: &str) -> String {
        parse(text).expect_err("it is wrong").to_string()
    }

    #[test]
    fn the_example_has_every_key_with_its_default() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/rosterd.toml");
        if std::env::var_os("UPDATE_EXAMPLE").is_some() {
            std::fs::write(&path, example()).unwrap();
        }
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text, example(), "run this test with UPDATE_EXAMPLE=1 to write config/rosterd.toml anew");
        let uncomment = |line: &'_ str| match line.strip_prefix("# ") {
            Some(rest) if rest.split_once(" = ").is_some_and(|(key, _)| is_key(key)) => rest.to_owned(),
            _ => line.to_owned(),
        };
        let is_optional = |line: &String| {
            let listeners = ["public_listen", "metrics_listen"];
            ["secret_file", "tls_cert", "tls_key", "api_url", "api_user", "api_password", "api_token"]
                .iter()
                .chain(&listeners)
                .any(|key| line.starts_with(key))
        };
        let lines: Vec<_> = text.lines().map(uncomment).filter(|line| !is_optional(line)).collect();
        let uncommented = lines.join("\n");
        insta::assert_snapshot!(problems(&text), @r#"
        1 problem in the configuration
          xmpp.secret: is still the one of the example
        "#);
        let with_secret = |text: &str| text.replace("\"change me\"", "\"s3cr3t\"");
        let all_set = parse(&with_secret(&uncommented)).unwrap();
        let none_set = parse(&with_secret(&text)).unwrap();
        assert_eq!(format!("{all_set:?}"), format!("{none_set:?}"));
    }

    fn is_key(text: &str) -> bool {
        text.chars().all(|c| c.is_ascii_lowercase() || c == '_')
    }

    #[test]
    fn the_least_is_enough() {
        let settings = parse(LEAST).unwrap();
        assert_eq!(settings.xmpp.server, "127.0.0.1:5347");
        assert_eq!(settings.xmpp.secret.reveal(), "s3cr3t");
        assert_eq!(settings.store.min_free, 64 * 1024 * 1024);
        assert!(!format!("{settings:?}").contains("s3cr3t"));
    }

    #[test]
    fn nothing_set() {
        insta::assert_snapshot!(problems(""), @r#"
        3 problems in the configuration
          xmpp.domain: has to be set: The domain of the component, as the XMPP server's configuration names it: queues have JIDs on it, such as law@queues.example.org.
          xmpp.secret: has to be set, or secret_file: the secret that the XMPP server knows the component by
          xmpp.user_domain: has to be set: The domain of the people: a user who is made without a JID has their name on it, such as ann@example.org.
        "#);
    }

    #[test]
    fn everything_wrong_at_once() {
        let text = r#"
            stray = 1
            [xmpp]
            server = "localhost"
            domain = "example.org"
            user_domain = "Example.org"
            secret = 5
            secret_file = "/nonexistent/secret"
            watcher = "the watcher"
            sweep_rate = 0
            ping_after = "soon"
            ping_timeout = "0s"
            [http]
            listen = "8443"
            tls_cert = "/nonexistent/cert.pem"
            presence_cap = "maybe"
            lisen = "127.0.0.1:1"
            [stores]
            path = "/tmp"
            [store]
            min_free = "much"
            [presence]
            linger = "2h"
            ping_after = "101years"
            [availability]
            precedence = ["chat", "online"]
            merge = "best"
            [log]
            level = "loud"
            format = "xml"
            [https]
        "#;
        insta::assert_snapshot!(problems(text), @r#"
        24 problems in the configuration
          [https]: there is no such section
          availability.merge: is "best", where one of these is wanted: most-available, highest-priority, least-available
          availability.precedence: "online" is not a show
          http.lisen: there is no such key, did you mean http.listen?
          http.listen: "8443" is not an address and port, such as "127.0.0.1:8443" or "[::1]:8443"
          http.presence_cap: is maybe, where true or false is wanted
          http.tls_cert: could not read /nonexistent/cert.pem: No such file or directory (os error 2)
          http.tls_key: has to be set together with http.tls_cert
          log.format: is "xml", where one of these is wanted: text, json
          log.level: "loud" is wrong: "loud" is not a level: off, error, warn, info, debug or trace
          presence.linger: is too long: "1h" at the most
          presence.ping_after: is too long: "100years" at the most
          store.min_free: is much, where a size is wanted, such as "64MiB"
          stores.path: there is no such key, did you mean store.path?
          stray: is no section: keys stand under a [section]
          xmpp.domain: is the users' domain too: the component needs a domain of its own
          xmpp.ping_after: is soon, where a length of time is wanted, such as "20s" or "2min"
          xmpp.ping_timeout: has to be longer than nothing
          xmpp.secret: has to be a text in quotes that is not empty
          xmpp.secret: is set together with xmpp.secret_file: set only one of them
          xmpp.secret_file: could not read the component secret from /nonexistent/secret: No such file or directory (os error 2)
          xmpp.server: "localhost" is not a host and a port, such as "127.0.0.1:5347"
          xmpp.sweep_rate: is 0, where a whole number from 1 is wanted
          xmpp.watcher: the name contains a space, which is not allowed
        "#);
    }

    #[test]
    fn a_secret_is_never_shown() {
        let text = LEAST.replace("secret = 's3cr3t'", "secret = ['s3cr3t']\nsecret_fil = 's3cr3t'");
        assert!(!problems(&text).contains("s3cr3t"));
        let unclosed = "[xmpp]\nsecret = 's3cr3t\n";
        assert!(!problems(unclosed).contains("s3cr3t"));
    }

    #[test]
    fn a_value_of_the_environment_that_is_no_text_is_not_shown() {
        use std::os::unix::ffi::OsStringExt;
        let value = std::ffi::OsString::from_vec(b"s3cr3t\xff".to_vec());
        let error = ::config::ConfigError::Message(format!(
            "env variable \"xmpp__secret\" contains non-Unicode data: {value:?}"
        ));
        assert_eq!(
            whole(&error).to_string(),
            "1 problem in the configuration\n  env variable \"xmpp__secret\" contains non-Unicode data"
        );
    }

    #[test]
    fn a_file_that_can_not_be_read_is_not_left_out() {
        let folder = tempfile::tempdir().unwrap();
        assert!(file(&folder.path().join("missing.toml"), false).is_ok());
        for (path, required) in [(folder.path().join("missing.toml"), true), (folder.path().to_owned(), false)] {
            let error = file(&path, required).expect_err("it can not be read").to_string();
            assert!(error.contains("could not read "), "{error}");
        }
    }

    #[test]
    fn the_file_is_no_toml() {
        insta::assert_snapshot!(problems("[xmpp\n"), @r#"
        1 problem in the configuration
          TOML parse error at line 1, column 6: unclosed table, expected `]`
        "#);
    }

    #[test]
    fn a_file_is_called_as_it_was_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rosterd.toml");
        std::fs::write(&path, format!("{LEAST}sweep_rate = 0\n")).unwrap();
        let problems = load(Some(&path)).unwrap_err().to_string();
        assert!(problems.ends_with(&format!("wanted (set in {})", path.display())), "{problems}");
        std::fs::write(&path, "[xmpp\n").unwrap();
        let problems = load(Some(&path)).unwrap_err().to_string();
        assert!(problems.ends_with(&format!(" in {}", path.display())), "{problems}");
    }

    #[test]
    fn the_environment_wins() {
        let set = [
            ("ROSTERD__XMPP__SERVER", "[::1]:5"),
            ("ROSTERD__AVAILABILITY__PRECEDENCE", "available, chat,dnd,away,xa,unavailable"),
            ("ROSTERD__HTTP__PRESENCE_CAP", "false"),
            ("ROSTERD__XMPP__SWEEP_RATE", "7"),
            ("OTHER", "x"),
        ];
        let environment = environment().source(Some(set.map(|(key, value)| (key.to_owned(), value.to_owned())).into()));
        let settings = read(Text { text: LEAST.to_owned(), origin: None }, environment, Secrets::Read(None)).unwrap();
        assert_eq!(settings.xmpp.server, "[::1]:5");
        assert_eq!(settings.xmpp.sweep_rate, 7);
        assert_eq!(settings.availability.precedence.order()[0].as_str(), "available");
        assert!(!settings.http.presence_cap);
    }
}
