//! The command line as an administrator and their scripts see it: what is printed where, and the exit codes.

use std::{
    fs,
    io::Write,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Command, Stdio},
};

use anyhow::{Context, Result, anyhow, ensure};
use rosterd::{
    domain::{Account, AccountId, Name, Queue, QueueId, Record},
    store::dump,
};
use serde_json::{Value, json};

use super::{Place, daemon::Daemon, https, place};

/// What a command printed, and how it ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Said {
    pub(super) code: Option<i32>,
    pub(super) out: String,
    pub(super) error: String,
}

fn run(program: &Path, arguments: &[&str], input: &str) -> Result<Said> {
    let mut command = Command::new(program);
    command.args(arguments).env_clear().stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn()?;
    // Who does not read what it is given has a reason, which it says.
    let _ = child.stdin.take().context("it has a standard input")?.write_all(input.as_bytes());
    let output = child.wait_with_output()?;
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).context("it prints UTF-8");
    Ok(Said { code: output.status.code(), out: text(output.stdout)?, error: text(output.stderr)? })
}

impl Place {
    pub(super) fn rosterd(&self, arguments: &[&str], input: &str) -> Result<Said> {
        let config = self.site.config.display().to_string();
        run(&self.site.binary, &[&["--config", &config], arguments].concat(), input)
    }

    /// Runs a command that has to succeed, and gives back what it printed.
    pub(super) fn good(&self, arguments: &[&str], input: &str) -> Result<String> {
        let said = self.rosterd(arguments, input)?;
        ensure!(said.code == Some(0) && said.error.is_empty(), "{arguments:?}: {said:?}");
        Ok(said.out)
    }

    /// Runs a command that has to fail with this code, and gives back why it says it did.
    pub(super) fn bad(&self, code: i32, arguments: &[&str], input: &str) -> Result<String> {
        let said = self.rosterd(arguments, input)?;
        ensure!(said.code == Some(code), "{arguments:?}, where {code} is wanted: {said:?}");
        ensure!(said.error.starts_with("rosterd: ") && said.out.is_empty(), "{arguments:?}: {said:?}");
        Ok(said.error)
    }

    /// The names of the accounts, as they are listed.
    pub(super) fn accounts(&self) -> Result<Vec<String>> {
        let listed = self.good(&["account", "list"], "")?;
        let rows = listed.strip_prefix("ACCOUNT  ADMINS\n").unwrap_or_default().lines();
        Ok(rows.filter_map(|row| row.split_whitespace().next()).map(str::to_owned).collect())
    }

    pub(super) fn file(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }
}

/// What an account's life looks like, whether the daemon runs or not.
fn accounts_come_and_go(place: &Place) -> Result<()> {
    ensure!(place.good(&["account", "list"], "")? == "There are no accounts.\n");
    let said = place.good(&["account", "add", "Acme", "--password-stdin"], "correct horse\n")?;
    ensure!(said == "account Acme added, with the login Acme, its owner\n", "{said}");
    place.good(&["account", "add", "zoo", "--password-stdin"], "battery staple")?;
    ensure!(place.accounts()? == ["acme", "zoo"]);
    let taken = place.bad(1, &["account", "add", "acme", "--password-stdin"], "long enough\n")?;
    ensure!(taken.contains("there is an account named acme already"), "{taken}");
    let illegal = place.bad(1, &["account", "add", "a b", "--password-stdin"], "long enough\n")?;
    ensure!(illegal.contains("contains a space"), "{illegal}");
    let empty = place.bad(1, &["account", "add", "new", "--password-stdin"], "\n")?;
    ensure!(empty.contains("the password is empty"), "{empty}");
    // Eight letters, whatever they are, and in whatever alphabet; no more is asked of them.
    let short = place.bad(1, &["account", "add", "new", "--password-stdin"], "sevenät\n")?;
    ensure!(short.contains("the password is too short: it needs 8 characters at least"), "{short}");
    place.bad(1, &["account", "password", "acme", "--password-stdin"], "seven_7\n")?;
    place.good(&["account", "password", "acme", "--password-stdin"], "eightbät\n")?;
    let no_terminal = place.bad(1, &["account", "add", "new"], "x\nx\n")?;
    ensure!(no_terminal.contains("--password-stdin"), "{no_terminal}");
    place.good(&["account", "password", "acme", "--password-stdin"], "another one\n")?;
    let unknown = place.bad(1, &["account", "password", "nobody", "--password-stdin"], "long enough\n")?;
    ensure!(unknown.contains("there is no such login"), "{unknown}");
    let linked = place.good(&["account", "link", "acme", "Sue@example.org"], "")?;
    ensure!(linked == "sue@example.org may manage account acme now\n", "{linked}");
    place.good(&["account", "link", "acme", "kim@example.org"], "")?;
    place.good(&["account", "link", "zoo", "sue@example.org"], "")?;
    let listed = place.good(&["account", "list"], "")?;
    let wanted = "ACCOUNT  ADMINS\nacme     kim@example.org sue@example.org\nzoo      sue@example.org\n";
    ensure!(listed == wanted, "{listed}");
    place.good(&["account", "unlink", "acme", "sue@example.org"], "")?;
    let not_linked = place.bad(1, &["account", "unlink", "acme", "sue@example.org"], "")?;
    ensure!(not_linked.contains("the JID sue@example.org is not linked to the account"), "{not_linked}");
    let no_jid = place.bad(1, &["account", "link", "acme", "sue@example.org/phone"], "")?;
    ensure!(no_jid.contains("has a resource"), "{no_jid}");
    place.good(&["account", "unlink", "acme", "kim@example.org"], "")?;
    place.good(&["account", "remove", "zoo"], "")?;
    place.bad(1, &["account", "remove", "zoo"], "")?;
    let log = place.good(&["audit", "--account", "zoo"], "")?;
    ensure!(log.contains("account.remove") && log.contains("account.create"), "{log}");
    ensure!(place.bad(1, &["audit", "--account", "zebra"], "")?.contains("there is no such account"));
    ensure!(place.accounts()? == ["acme"]);
    Ok(())
}

#[test]
fn accounts_without_the_daemon() -> Result<()> {
    accounts_come_and_go(&place()?)
}

/// Who may log in, with what, and what is noted of it.
fn logins_and_tokens_come_and_go(place: &Place) -> Result<String> {
    place.good(&["account", "add", "acme", "--password-stdin"], "correct horse\n")?;
    place.good(&["account", "add", "zoo", "--password-stdin"], "long enough\n")?;
    let add = |name: &str, role: &str| {
        let arguments = ["login", "add", "acme", name, "--role", role, "--password-stdin"];
        place.rosterd(&arguments, "battery staple\n")
    };
    let said = add("kim", "viewer")?;
    ensure!(said.out == "login kim added to account acme with the role viewer\n", "{said:?}");
    ensure!(add("kim", "viewer")?.error.contains("there is a login named kim already"));
    ensure!(add("zoo", "viewer")?.error.contains("there is a login named zoo already"), "one name for a deployment");
    let role = add("sue", "chief")?;
    ensure!(role.code == Some(1) && role.error.contains("these: viewer, supervisor, owner"), "{role:?}");
    place.good(&["login", "role", "kim", "supervisor"], "")?;
    let last = place.bad(1, &["login", "remove", "acme"], "")?;
    ensure!(last.contains("the last owner of the account"), "{last}");
    let all = place.good(&["login", "list"], "")?;
    let wanted = "LOGIN  ROLE        ACCOUNT  SESSIONS\nacme   owner       acme     0\nkim    supervisor  acme     0\nzoo    owner       zoo      0\n";
    ensure!(all == wanted, "{all}");
    ensure!(all.starts_with(&place.good(&["login", "list", "acme"], "")?));
    ensure!(place.bad(1, &["login", "list", "nobody"], "")?.contains("there is no such account"));
    place.good(&["login", "password", "kim", "--password-stdin"], "another one\n")?;
    ensure!(place.good(&["login", "sessions", "kim"], "")? == "There are no open sessions.\n");
    ensure!(place.bad(1, &["login", "sessions", "nobody"], "")?.contains("there is no such login"));
    place.good(&["login", "logout", "kim"], "")?;

    let make = |name: &str, more: &[&str]| {
        place.good(&[&["token", "add", "acme", "--name", name, "--role", "owner"], more].concat(), "")
    };
    let token = make("importer", &["--expires", "90days"])?;
    let token = token.trim_end();
    ensure!(token.len() == "rosterd_".len() + 43 && token.starts_with("rosterd_"), "{token}");
    ensure!(make("wallboard", &[])?.trim_end() != token);
    let listed = place.good(&["token", "list", "acme"], "")?;
    let heading = listed.lines().next().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "));
    ensure!(heading.is_some_and(|it| it == "TOKEN ROLE ACCOUNT MADE EXPIRES LAST USED"), "{listed}");
    let words: Vec<Vec<_>> = listed.lines().skip(1).map(|line| line.split_whitespace().collect()).collect();
    ensure!(
        words.len() == 2 && words[0][..3] == ["importer", "owner", "acme"] && words[0][4].ends_with('Z'),
        "{listed}"
    );
    ensure!(words[1][4..] == ["-", "-"] && !listed.contains("rosterd_"), "{listed}");
    place.good(&["token", "revoke", "acme", "wallboard"], "")?;
    ensure!(place.bad(1, &["token", "revoke", "acme", "wallboard"], "")?.contains("there is no such token"));

    let log = place.good(&["audit"], "")?;
    let words: Vec<_> = log.lines().skip(1).map(|line| line.split(' ').nth(3).unwrap_or_default()).collect();
    ensure!(log.starts_with("WHEN WHO: WHAT "), "{log}");
    let expected = [
        "token.revoke",
        "token.create",
        "token.create",
        "login.password",
        "login.role",
        "login.create",
        "account.create",
        "account.create",
    ];
    ensure!(words == expected, "{log}");
    let own = format!(" local {}: ", rustix::process::getuid().as_raw());
    ensure!(log.lines().skip(1).all(|line| line.contains(&own)), "{log}");
    ensure!(log.contains("login.role account acme (1), login kim; login kim: \"viewer\" -> \"supervisor\"\n"), "{log}");
    for secret in ["argon2", "horse", "staple", "rosterd_"] {
        ensure!(!log.contains(secret), "{secret} in {log}");
    }
    ensure!(place.good(&["audit", "--account", "zoo"], "")?.lines().count() == 2);
    ensure!(place.good(&["audit", "--what", "token", "--limit", "2"], "")?.lines().count() == 3);
    ensure!(place.good(&["audit", "--since", "1h", "--until", "1h"], "")? == "There is no such entry.\n");
    let json = place.good(&["audit", "--json", "--limit", "1"], "")?;
    let entry: Value = serde_json::from_str(&json)?;
    ensure!(entry["what"] == "token.revoke" && entry["before"]["role"] == "owner", "{entry}");
    Ok(token.to_owned())
}

#[test]
fn logins_and_tokens_without_the_daemon() -> Result<()> {
    logins_and_tokens_come_and_go(&place()?).map(drop)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn logins_and_tokens_through_the_daemon() -> Result<()> {
    let place = place()?;
    let mut daemon = Daemon::start(place.site.clone())?;
    daemon.serves().await?;
    let token = logins_and_tokens_come_and_go(&place)?;
    let show = https::Caller::Shows(hyper::header::AUTHORIZATION, format!("Bearer {token}"));
    let create = json!({ "name": "law" });
    let reply = daemon.https()?.ask(hyper::Method::POST, "/2011-12-03/queues", &show, Some(&create)).await?;
    ensure!(reply.status == 200, "{reply:?}");
    let fields = json!({ "username": "kim", "password": "another one" });
    let login =
        daemon.https()?.ask(hyper::Method::POST, "/api/auth/login", &https::Caller::Anybody, Some(&fields)).await?;
    ensure!(login.json()? == json!({ "success": true, "username": "kim", "account_id": 1 }), "{login:?}");
    let sessions = place.good(&["login", "sessions", "kim"], "")?;
    ensure!(sessions.lines().count() == 2 && sessions.ends_with(" 127.0.0.1\n"), "{sessions}");
    let cookie = login.headers.get("set-cookie").and_then(|cookie| cookie.to_str().ok()?.split(';').next());
    let cookie = https::Caller::Shows(hyper::header::COOKIE, cookie.context("there is a cookie")?.to_owned());
    let status = async |daemon: &Daemon| -> Result<u16> {
        Ok(daemon.https()?.ask(hyper::Method::GET, "/2011-12-03/queues", &cookie, None).await?.status)
    };
    ensure!(status(&daemon).await? == 200);
    place.good(&["login", "logout", "kim"], "")?;
    ensure!(status(&daemon).await? == 401, "they are logged out");
    let log = place.good(&["audit", "--limit", "3"], "")?;
    let lines: Vec<_> = log.lines().skip(1).collect();
    ensure!(lines[0].contains("session.close_all account acme (1), login kim"), "{log}");
    ensure!(lines[1].contains("login kim at 127.0.0.1: session.open"), "{log}");
    ensure!(lines[2].contains("token importer at 127.0.0.1: queue.create queue law (3)"), "{log}");
    // What was noted is there after a kill, and without the daemon.
    daemon.kill();
    ensure!(place.good(&["audit", "--limit", "3"], "")? == log);
    ensure!(!daemon.log().contains(&token), "a secret is in the log");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn accounts_through_the_daemon() -> Result<()> {
    let place = place()?;
    let mut daemon = Daemon::start(place.site.clone())?;
    daemon.serves().await?;
    accounts_come_and_go(&place)?;
    let socket = fs::metadata(place.file("admin.sock"))?;
    ensure!(socket.permissions().mode() & 0o777 == 0o660, "{:o}", socket.permissions().mode());
    // The password that was set last is the one that counts.
    let caller = https::Caller::Anybody;
    for (password, status) in [("correct horse", 401), ("another one", 200)] {
        let fields = json!({ "username": "acme", "password": password });
        let login = "/2011-12-03/auth/login";
        let reply = daemon.https()?.ask(hyper::Method::POST, login, &caller, Some(&fields)).await?;
        ensure!(reply.status == status, "{password}: {reply:?}");
    }
    ensure!(daemon.https()?.get("/healthz").await?.status == 200);
    daemon.stop().await?;
    let log = daemon.log();
    ensure!(
        !log.contains("another one") && !log.contains("horse") && !log.contains("argon2"),
        "a secret is in the log"
    );
    ensure!(!log.contains('\u{1b}'), "colours are for terminals");
    ensure!(!Path::new(&place.file("admin.sock")).exists(), "the socket goes with the daemon");
    Ok(())
}

#[test]
fn everything_goes_out_and_comes_back() -> Result<()> {
    let (from, to) = (place()?, place()?);
    from.good(&["account", "add", "acme", "--password-stdin"], "long enough\n")?;
    let file = from.file("all.jsonl");
    let said = from.good(&["export", &file], "")?;
    ensure!(said == format!("2 records exported to {file}\n"), "{said}");
    ensure!(fs::metadata(&file)?.permissions().mode() & 0o777 == 0o600, "it holds hashes");
    let piped = from.good(&["export", "-"], "")?;
    ensure!(piped == fs::read_to_string(&file)?);
    ensure!(to.good(&["import", &file], "")? == "2 records imported\n");
    ensure!(to.accounts()? == ["acme"]);
    ensure!(to.good(&["export", "-"], "")? == piped);
    let full = to.bad(1, &["import", &file], "")?;
    ensure!(full.contains("the store is not empty"), "{full}");
    let piped_in = place()?;
    ensure!(piped_in.good(&["import", "-"], &piped)? == "2 records imported\n");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_goes_through_the_daemon_too() -> Result<()> {
    let (from, to) = (place()?, place()?);
    let mut daemon = Daemon::start(from.site.clone())?;
    daemon.serves().await?;
    from.good(&["account", "add", "acme", "--password-stdin"], "long enough\n")?;
    let through_daemon = from.good(&["export", "-"], "")?;
    daemon.stop().await?;
    ensure!(from.good(&["export", "-"], "")? == through_daemon);
    let mut daemon = Daemon::start(to.site.clone())?;
    daemon.serves().await?;
    ensure!(to.good(&["import", "-"], &through_daemon)? == "2 records imported\n");
    let full = to.bad(1, &["import", "-"], &through_daemon)?;
    ensure!(full.contains("the store is not empty"), "{full}");
    daemon.kill();
    ensure!(to.good(&["export", "-"], "")? == through_daemon, "an import is on disk when it is acknowledged");
    Ok(())
}

#[test]
fn a_damaged_export_changes_nothing() -> Result<()> {
    let (from, to) = (place()?, place()?);
    from.good(&["account", "add", "acme", "--password-stdin"], "long enough\n")?;
    let good = from.good(&["export", "-"], "")?;
    let without_end = good.lines().take(2).map(|line| format!("{line}\n")).collect::<Vec<_>>().concat();
    for damaged in [good.replace("acme", "acne"), without_end, "nonsense\n".to_owned(), String::new()] {
        let said = to.bad(65, &["import", "-"], &damaged)?;
        ensure!(said.contains("nothing was imported"), "{said}");
    }
    ensure!(to.accounts()?.is_empty());
    let missing = to.bad(1, &["import", &to.file("nothing.jsonl")], "")?;
    ensure!(missing.contains("could not read") && missing.contains("nothing.jsonl"), "{missing}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn status_and_health() -> Result<()> {
    let place = place()?;
    for command in [&["status"][..], &["status", "--json"], &["healthcheck"]] {
        let said = place.bad(69, command, "")?;
        ensure!(said.contains("rosterd does not run") && said.contains("admin.sock"), "{said}");
    }
    let mut daemon = Daemon::start(place.site.clone())?;
    daemon.serves().await?;
    let table = place.good(&["status"], "")?;
    ensure!(table.starts_with("link: down: ") && table.contains("There are no queues yet"), "{table}");
    let status: Value = serde_json::from_str(&place.good(&["status", "--json"], "")?)?;
    ensure!(status["link"]["state"] == "down" && status["queues"] == json!([]), "{status}");
    let unwell = place.bad(69, &["healthcheck"], "")?;
    ensure!(unwell.contains("not ready") && unwell.contains("link-down"), "{unwell}");
    daemon.stop().await
}

#[test]
fn configuration() -> Result<()> {
    let place = place()?;
    ensure!(place.good(&["check-config"], "")? == "the configuration is good\n");
    let example = place.good(&["check-config", "--example"], "")?;
    ensure!(example == fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("config/rosterd.toml"))?);
    fs::write(&place.site.config, "[xmpp]\ndomain = 'a b'\nsekret = 'x'\n[log]\nlevel = 5\n")?;
    let problems = place.bad(78, &["check-config"], "")?;
    for key in ["xmpp.domain", "xmpp.user_domain", "xmpp.secret:", "xmpp.sekret", "log.level"] {
        ensure!(problems.contains(key), "{key} is missing in: {problems}");
    }
    ensure!(place.bad(78, &["serve"], "")? == problems, "it says the same");
    let is_kept = |line: &&str| !line.contains("xmpp.secret:");
    let but_the_secret: Vec<_> = problems.lines().filter(is_kept).skip(1).map(str::to_owned).collect();
    for command in [&["status"][..], &["account", "list"], &["healthcheck"]] {
        let said = place.bad(78, command, "")?;
        ensure!(said.lines().skip(1).eq(&but_the_secret), "{command:?}, which needs no secret: {said}");
    }
    let nowhere = run(&place.site.binary, &["--config", "/nonexistent/rosterd.toml", "serve"], "")?;
    ensure!(nowhere.code == Some(78) && nowhere.error.contains("/nonexistent/rosterd.toml"), "{nowhere:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_for_collectors() -> Result<()> {
    let place = place()?;
    let config = fs::read_to_string(&place.site.config)?.replace("[log]", "[log]\nformat = \"json\"");
    fs::write(&place.site.config, config)?;
    let mut daemon = Daemon::start(place.site.clone())?;
    daemon.serves().await?;
    daemon.stop().await?;
    let log = daemon.log();
    let lines: Vec<_> = log.lines().filter(|line| line.starts_with('{')).collect();
    ensure!(lines.len() > 5, "{log}");
    for line in lines {
        let line: Value = serde_json::from_str(line)?;
        ensure!(line["level"].is_string() && line["timestamp"].is_string() && line["message"].is_string(), "{line}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_root_and_its_own_user_may_use_the_admin_socket() -> Result<()> {
    let place = place()?;
    // Everybody can get at the program, its configuration and the socket: what is left is who is asking.
    let open = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode));
    let program = place.folder.path().join("rosterd");
    fs::copy(&place.site.binary, &program)?;
    open(place.folder.path(), 0o755)?;
    open(&place.site.config, 0o644)?;
    let mut daemon = Daemon::start(place.site.clone())?;
    daemon.serves().await?;
    open(Path::new(&place.file("admin.sock")), 0o666)?;
    let (program, config) = (program.display().to_string(), place.site.config.display().to_string());
    let as_nobody =
        ["--reuid=65534", "--regid=65534", "--clear-groups", &program, "--config", &config, "account", "list"];
    let said = run(Path::new("/usr/bin/setpriv"), &as_nobody, "")?;
    if said.code == Some(127) || said.error.contains("Operation not permitted") {
        crate::skip::skip("only root can ask the daemon as somebody else");
        return daemon.stop().await;
    }
    ensure!(said.code == Some(77) && said.error.contains("only root and the user"), "{said:?}");
    daemon.stop().await?;
    ensure!(daemon.log().contains("turned away"), "{}", daemon.log());
    Ok(())
}

#[test]
fn a_watcher_with_the_name_of_a_queue() -> Result<()> {
    let place = place()?;
    let (account, queue) = (AccountId::new(1).context("not 0")?, QueueId::new(2).context("not 0")?);
    let name = |text| Name::parse(text, Name::QUEUE_MOST).map_err(|error| anyhow!("{error}"));
    let (email, avatar) = (None, None);
    let records = [
        Record::NextId(3),
        Record::Account(Account::owned(account, name("acme")?, "x".into())),
        Record::Queue(Queue { id: queue, account, name: name("law")?, email, avatar, transcripts: false }),
    ];
    let mut export = Vec::new();
    dump::write_records(&records, &mut export, |_| ())?;
    place.good(&["import", "-"], &String::from_utf8(export)?)?;
    let config = fs::read_to_string(&place.site.config)?.replace("[xmpp]", "[xmpp]\nwatcher = \"law\"");
    fs::write(&place.site.config, config)?;
    for command in [&["serve"][..], &["account", "list"]] {
        let said = place.rosterd(command, "")?;
        ensure!(said.code == Some(78) && said.error.contains("xmpp.watcher: law is the name of queue 2"), "{said:?}");
    }
    Ok(())
}

#[test]
fn root_leaves_the_store_of_somebody_else_alone() -> Result<()> {
    let place = place()?;
    fs::create_dir(&place.site.state)?;
    if std::os::unix::fs::chown(&place.site.state, Some(65_534), None).is_err() {
        crate::skip::skip("only root can give a folder away");
        return Ok(());
    }
    let said = place.bad(77, &["account", "list"], "")?;
    ensure!(said.contains("belongs to the user with the number 65534") && said.contains("sudo -u"), "{said}");
    ensure!(fs::read_dir(&place.site.state)?.next().is_none(), "nothing was made");
    Ok(())
}

#[test]
fn the_command_line_itself() -> Result<()> {
    let place = place()?;
    let wrong = run(&place.site.binary, &["servee"], "")?;
    ensure!(wrong.code == Some(2) && wrong.error.contains("serve"), "{wrong:?}");
    let help = run(&place.site.binary, &["--help"], "")?;
    ensure!(help.code == Some(0) && help.out.contains("Exit codes:"), "{help:?}");
    let version = run(&place.site.binary, &["--version"], "")?;
    ensure!(version.out == format!("rosterd {}\n", env!("CARGO_PKG_VERSION")), "{version:?}");
    Ok(())
}

#[test]
fn a_store_in_a_place_that_can_not_be() -> Result<()> {
    let place = place()?;
    fs::write(&place.site.state, "a file")?;
    let said = place.bad(74, &["account", "list"], "")?;
    ensure!(said.contains("state"), "{said}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_needs_no_secret() -> Result<()> {
    let place = place()?;
    let mut daemon = Daemon::start(place.site.clone())?;
    daemon.serves().await?;
    // As it is installed: only the service manager may read the file, and hands it over to the daemon alone.
    let text = fs::read_to_string(&place.site.config)?;
    let elsewhere = "secret_file = \"/nonexistent/xmpp-secret\"";
    fs::write(&place.site.config, text.replace("secret = \"s3cr3t\"", elsewhere))?;
    ensure!(place.good(&["status"], "")?.contains("link: down"));
    place.good(&["account", "add", "acme", "--password-stdin"], "correct horse\n")?;
    place.good(&["backup", &place.file("running")], "")?;
    daemon.stop().await?;
    place.good(&["backup", &place.file("stopped")], "")?;
    let arguments: [&[&str]; 2] = [&["serve"], &["check-config"]];
    for arguments in arguments {
        let said = place.bad(78, arguments, "")?;
        ensure!(said.contains("/nonexistent/xmpp-secret"), "{arguments:?}: {said}");
    }
    let said = place.rosterd(&["doctor"], "")?.out;
    ensure!(said.contains("problem  config       xmpp.secret_file: could not read"), "{said}");
    ensure!(said.contains("ok       store "), "the rest is looked at: {said}");
    Ok(())
}
