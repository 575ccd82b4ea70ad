//! Programs that others wrote, as they were written for the LibraryH3lp API years ago, against the whole daemon.

use std::{path::Path, process::Command};

use anyhow::{Context, Result, ensure};

use super::{Place, daemon::Daemon, place};

const PASSWORD: &str = "pass word+&%";

/// A daemon that serves, with the account `boss`.
async fn daemon(place: &Place) -> Result<Daemon> {
    place.site.add_account("boss", PASSWORD)?;
    let daemon = Daemon::start(place.site.clone())?;
    daemon.serves().await?;
    Ok(daemon)
}

/// What a program printed, which has to end well.
fn printed(program: &str, arguments: &[&str]) -> Result<String> {
    let mut command = Command::new(program);
    command.args(arguments).env_remove("PYTHONPATH");
    let output = command.output().with_context(|| format!("{program} has to be installed"))?;
    let error = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{program} {arguments:?}: {}\n{error}", output.status);
    Ok(String::from_utf8(output.stdout)?)
}

/// curl, which keeps its cookies in `folder`.
struct Curl<'a> {
    folder: &'a Path,
    certificate: String,
    base: String,
}

impl Curl<'_> {
    /// Status, body and version of HTTP of `curl ARGUMENTS... BASE/path`.
    fn ask(&self, path: &str, arguments: &[&str]) -> Result<String> {
        let url = format!("{}{path}", self.base);
        let common = ["-q", "-sS", "--noproxy", "*", "--max-time", "60", "--cacert", &self.certificate];
        let shown = ["-w", " %{http_code} %{content_type} %{http_version}"];
        printed("curl", &[&common[..], &shown, arguments, &[&url]].concat())
    }

    /// The same with the cookies of a login, and a body alone where all else is as it should be.
    fn good(&self, path: &str, arguments: &[&str]) -> Result<String> {
        let jar = self.folder.join("cookies").display().to_string();
        let said = self.ask(path, &[&["-b", &jar, "-c", &jar], arguments].concat())?;
        let body = said.strip_suffix(" 200 application/json; charset=utf-8 2");
        Ok(body.with_context(|| format!("{path} {arguments:?}: {said}"))?.to_owned())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn curl_in_all_its_ways() -> Result<()> {
    let place = place()?;
    let mut daemon = daemon(&place).await?;
    let curl = Curl {
        folder: place.folder.path(),
        certificate: place.site.certificate().display().to_string(),
        base: format!("https://{}", place.site.https),
    };
    let failed = |text: &str| format!(r#"{{"success":null,"message":"{text}","error":"{text}"}}"#);

    let stranger = curl.ask("/2011-12-03/queues", &[])?;
    assert_eq!(stranger, failed("log in first") + " 401 application/json; charset=utf-8 2");
    let password = format!("password={PASSWORD}");
    let login = curl.good("/2011-12-03/auth/login", &["-d", "username=boss", "--data-urlencode", &password])?;
    assert_eq!(login, r#"{"success":true,"username":"boss","account_id":1}"#);

    // A form, a form of parts, JSON that is said to be a form, and the query.
    let law = curl.good("/2011-12-03/queues", &["-d", "name=law", "-d", "email=law help@example.org"])?;
    assert!(law.starts_with(r#"[{"id":2,"#) && law.contains(r#""email":"law help@example.org""#), "{law}");
    let ann = curl.good("/2011-12-03/users", &["-F", "name=ann", "-F", "password=not for us"])?;
    assert!(ann.starts_with(r#"[{"id":3,"#), "{ann}");
    let assigned = curl.good("/2011-12-03/queues/2/operators", &["-d", r#"{"userId": "3"}"#])?;
    assert_eq!(assigned, r#"{"success":true}"#);
    let suspended = curl.good("/2013-07-21/queues/2/operators/3?enabled=0", &["-X", "PUT"])?;
    assert_eq!(suspended, r#"{"id":3,"name":"ann","show":"unavailable","enabled":false}"#);
    let enabled = curl.good("/2011-12-03/queues/2/operators/3", &["-X", "PATCH", "-G", "-d", "enabled=true"])?;
    assert!(enabled.ends_with(r#""userShow":"unavailable","enabled":true}]"#), "{enabled}");
    let tax = curl.good("/2011-12-03/queues?name=tax", &["-d", ""])?;
    assert!(tax.starts_with(r#"[{"id":4,"#), "{tax}");

    // What can not be: a file, a space, a name that is taken.
    let file = curl.good("/2011-12-03/queues/2", &["-X", "PUT", "-F", &format!("avatar=@{}", curl.certificate)])?;
    assert_eq!(file, failed("avatar must be a text, not a file"));
    let space = curl.good("/2011-12-03/queues", &["-d", "name=two words"])?;
    assert_eq!(space, failed("the name contains a space, which is not allowed"));
    assert_eq!(curl.good("/api/users", &["-F", "name=law"])?, failed("the name law is taken"));

    // Methods that are not what they seem, bodies that nobody wants, and name and password in place of the cookie.
    let gone = curl.good("/2011-12-03/queues/4", &["-F", "_method=delete"])?;
    assert_eq!(gone, r#"{"success":true}"#);
    let left = curl.good("/api/queues", &["-G", "-d", "_=1234"])?;
    assert_eq!(left, r#"[{"id":2,"name":"law","show":"unavailable"}]"#);
    assert_eq!(curl.good("/api/queues/", &["-X", "GET", "-d", "{\"malformed"])?, left);
    let basic = curl.ask("/api/queues", &["-u", &format!("boss:{PASSWORD}"), "--http1.1"])?;
    assert_eq!(basic, left + " 200 application/json; charset=utf-8 1.1");
    // Each answer comes though nobody wants the body.
    for (path, status) in [("/v1/queues", "405"), ("/v1/users/3", "405"), ("/nowhere", "404"), ("/healthz", "405")] {
        let reply = curl.ask(path, &["-d", r#"{"name": "new"}"#])?;
        assert!(reply.contains(&format!(" {status} application/")), "{path}: {reply}");
    }
    daemon.stop().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn python_with_its_own_library() -> Result<()> {
    let place = place()?;
    let mut daemon = daemon(&place).await?;
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/lifecycle/old_client.py");
    let address = place.site.https.to_string();
    let said = printed("python3", &[script, &address, &place.site.certificate().display().to_string(), PASSWORD])?;
    insta::assert_snapshot!(said, @r#"
    GET /2011-12-03/queues 401 {"success":null,"message":"log in first","error":"log in first"}
    POST /2011-12-03/auth/login 200 {"success":true,"username":"boss","account_id":1}
    POST /2011-12-03/queues 200 [{"id":2,"type":"queue","name":"law","enabled":null,"transcripts":null,"email":null,"avatar":null,"show":"unavailable","status":"No operator is enabled","jid":"law@queues.localhost"}]
    POST /2011-12-03/users 200 [{"id":3,"type":"user","name":"ann","email":null,"show":"unavailable","status":null,"jid":"ann@localhost"}]
    POST /2011-12-03/queues/2/operators 200 {"success":true}
    PUT /2013-07-21/queues/2/operators/3 200 {"id":3,"name":"ann","show":"unavailable","enabled":false}
    GET /2016-02-10/queues/2/operators/ 200 [{"id":3,"name":"ann","show":"unavailable","enabled":false}]
    POST /api/queues/2/operators/3 200 {"id":3,"name":"ann","show":"unavailable","enabled":true}
    DELETE /2011-12-03/queues/2/operators/3 200 {"success":true}
    POST /2011-12-03/queues 200 {"success":null,"message":"the name contains a space, which is not allowed","error":"the name contains a space, which is not allowed"}
    GET users/3 401 on one connection: True
    DELETE users/3 401 on one connection: True
    PUT users/3 400 on one connection: True
    POST users/3 405 on one connection: True
    POST transcripts 404 on one connection: True
    GET users 401 on one connection: True
    "#);
    daemon.stop().await
}
