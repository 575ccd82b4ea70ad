//! Logging in and out: row 1, under every version.

use axum::{
    extract::State,
    http::{HeaderMap, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use tracing::error;
use utoipa::ToSchema;

use super::{Failure, Fields, Json, Site};
use crate::{
    config::Secret,
    http::{
        auth::{self, Memory, SessionError},
        client::Client,
        json::always_true,
    },
    telemetry,
};

/// Who is logged in.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct Login<'a> {
    /// Always true.
    #[schema(schema_with = always_true)]
    success: bool,
    username: &'a str,
    account_id: u32,
}

/// The same failure whatever was wrong, so that nobody learns which names there are.
fn refused() -> Failure {
    let failure = Failure::unauthenticated();
    failure.saying("the username or the password is wrong")
}

pub(super) async fn login(
    State(site): State<Site>,
    Client(from): Client,
    headers: HeaderMap,
    fields: Fields,
) -> Result<Response, Failure> {
    let username = fields.text("username").ok().flatten().unwrap_or_default();
    let password = fields.text("password").ok().flatten().unwrap_or_default();
    // Who logs in at the same moment may have had the password kept in another form: it is checked against that one then.
    for _ in 0..2 {
        let shown = (username, Secret::new(password.to_owned()));
        let known = auth::check_password(&site, shown, from, Memory::None).await;
        let known = known.map_err(|denied| denied.answer(refused))?;
        let cookie = match auth::open_session(&site, &known, from, &headers).await {
            Ok(cookie) => cookie,
            Err(SessionError::Outdated) => continue,
            Err(SessionError::Edit(error)) => return Err(Failure::of_edit(error)),
            Err(error @ SessionError::NoToken(_)) => {
                error!(error = %telemetry::chain(&error), "no session could be opened");
                return Err(Failure::unavailable("nobody can log in at present"));
            }
        };
        let body = Login { success: true, username: known.name.as_str(), account_id: known.account.get() };
        return Ok(([(header::SET_COOKIE, cookie)], Json::of(&body)).into_response());
    }
    Err(refused())
}

/// Whoever asks is logged out afterwards: that is a success, whether they were logged in or not.
pub(super) async fn logout(
    State(site): State<Site>,
    Client(from): Client,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let cookie = auth::close_sessions(&site, from, &headers).await.map_err(Failure::of_edit)?;
    Ok(([(header::SET_COOKIE, cookie)], Json::success()).into_response())
}

#[cfg(test)]
mod tests {
    use std::{cell::RefCell, io};

    use crate::{
        domain::{Edit, Role, UnixTime},
        engine::unix_now,
        http::{
            auth::hashed,
            libraryh3lp::VERSIONS,
            testing::{IDLE, PASSWORD, Reply, Rig, name},
        },
    };

    const QUEUE: &str = "GET /2011-12-03/queues/4";

    async fn log_in(rig: &Rig, prefix: &str, username: &str, password: &str) -> Reply {
        let body = format!(r#"{{"username": "{username}", "password": "{password}"}}"#);
        rig.send(&format!("POST {prefix}/auth/login"), &body, &[]).await
    }

    /// The `name=token` of the only cookie that was set.
    fn cookie(reply: &Reply) -> &str {
        assert_eq!(reply.headers.get_all("set-cookie").iter().count(), 1);
        let (pair, attributes) = reply.header("set-cookie").unwrap().split_once("; ").unwrap();
        assert_eq!(attributes, "Path=/; HttpOnly; Secure; SameSite=Lax");
        pair
    }

    #[tokio::test]
    async fn a_cookie_of_any_version_is_good_for_all() {
        let rig = Rig::new().await;
        for (prefix, _) in VERSIONS {
            let reply = log_in(&rig, prefix, "boss", PASSWORD).await;
            insta::allow_duplicates! {
                insta::assert_snapshot!(reply.line(), @r#"200 {"success":true,"username":"boss","account_id":1}"#);
            }
            let pair = cookie(&reply);
            assert_eq!(pair.len(), "libraryh3lp-session=".len() + 43, "256 bits in base64url");
            let reply = rig.send(QUEUE, "", &[("cookie", &format!("libraryh3lp-timezone=CET; {pair}"))]).await;
            assert_eq!(reply.status.as_u16(), 200, "{prefix}");
        }
    }

    #[tokio::test]
    async fn every_wrong_login_gets_the_same_answer() {
        let rig = Rig::new().await;
        let wrong = log_in(&rig, "/api", "boss", "wrong").await;
        insta::assert_snapshot!(wrong.line(), @r#"401 {"success":null,"message":"the username or the password is wrong","error":"the username or the password is wrong"}"#);
        assert_eq!(wrong.header("set-cookie"), None);
        assert_eq!(wrong.header("www-authenticate"), None);
        assert_eq!(log_in(&rig, "/api", "nobody", PASSWORD).await, wrong);
        assert_eq!(log_in(&rig, "/api", "no body", PASSWORD).await, wrong);
        assert_eq!(log_in(&rig, "/api", "", "").await, wrong);
        assert_eq!(log_in(&rig, "/api", "boss", &"x".repeat(2_000)).await, wrong);
        for body in ["", "{}", r#"{"username": 7, "password": null}"#] {
            assert_eq!(rig.send("POST /api/auth/login", body, &[]).await, wrong, "{body}");
        }
        assert_eq!(rig.send("POST /api/auth/login", "{", &[]).await.status.as_u16(), 400);
    }

    #[tokio::test]
    async fn a_login_that_replaces_a_session_ends_it() {
        let rig = Rig::new().await;
        let again = |cookie: &'static str| {
            let body = format!(r#"{{"username": "vic", "password": "{PASSWORD}"}}"#);
            let rig = &rig;
            async move { rig.send("POST /api/auth/login", &body, &[("cookie", cookie)]).await.status.as_u16() }
        };
        assert_eq!(again("libraryh3lp-session=vic; libraryh3lp-session=boss").await, 200);
        assert_eq!(rig.ask("vic", QUEUE, "").await.status.as_u16(), 401, "there is another one in its place");
        assert_eq!(rig.ask("boss", QUEUE, "").await.status.as_u16(), 200, "that of another login goes on");
    }

    #[tokio::test]
    async fn every_role_is_kept_to_what_it_may() {
        let rig = Rig::new().await;
        let operator = "PUT /2011-12-03/queues/3/operators/5";
        for (login, suspend, create) in [("vic", 403, 403), ("sue", 200, 403), ("boss", 200, 200)] {
            let role = ["viewer", "supervisor", "owner"][usize::from(suspend == 200) + usize::from(create == 200)];
            let token = format!("{role}-token");
            for (request, body, expected) in [
                (QUEUE, "", 200),
                ("GET /v1/users", "", 200),
                (operator, r#"{"enabled": null}"#, suspend),
                (operator, r#"{"enabled": true}"#, suspend),
                ("PUT /2011-12-03/queues/4", r#"{"email": "a@example.org"}"#, create),
                ("PUT /2011-12-03/users/6", r#"{"email": "a@example.org"}"#, create),
                ("POST /2011-12-03/queues/4/operators", r#"{"userId": 6}"#, create),
                ("POST /2011-12-03/users/6/assignments", r#"{"queueId": 4}"#, create),
            ] {
                assert_eq!(rig.ask(login, request, body).await.status.as_u16(), expected, "{login}: {request}");
                let reply = rig.ask_with_token(&token, request, body).await;
                assert_eq!(reply.status.as_u16(), expected, "{token}: {request}");
            }
        }
        let refused = rig.ask("vic", operator, r#"{"enabled": null}"#).await;
        insta::assert_snapshot!(refused.line(), @r#"403 {"success":null,"message":"this needs the role supervisor, and the role of this login is viewer","error":"this needs the role supervisor, and the role of this login is viewer"}"#);
        let refused = rig.ask_with_token("supervisor-token", "DELETE /2011-12-03/queues/4", "").await;
        insta::assert_snapshot!(refused.line(), @r#"403 {"success":null,"message":"this needs the role owner, and the role of this login is supervisor","error":"this needs the role owner, and the role of this login is supervisor"}"#);
        // What they are counts when they ask, not what they were when they logged in.
        rig.edit(Edit::SetRole { login: name("vic"), role: Role::Supervisor }).await;
        assert_eq!(rig.ask("vic", operator, r#"{"enabled": null}"#).await.status.as_u16(), 200);
    }

    #[tokio::test]
    async fn a_session_in_use_goes_on_however_short_the_idle_time_is() {
        let rig = Rig::with_policy(|policy| policy.session_idle = 1_800).await;
        rig.open_session("boss", "used", 1_200).await;
        assert_eq!(rig.send(QUEUE, "", &[("cookie", "libraryh3lp-session=used")]).await.status.as_u16(), 200);
        let later = UnixTime(unix_now().0 + 1_200);
        assert!(rig.desk.read(|desk| desk.session(&hashed("used"), later).is_some()), "it was used a moment ago");
    }

    #[tokio::test]
    async fn who_logs_in_twice_at_a_time_gets_in_twice() {
        let rig = Rig::new().await;
        // The first to come renews the form of the hash, against which the others were checked.
        let all = futures::future::join_all((0..4).map(|_| log_in(&rig, "/api", "boss", PASSWORD))).await;
        assert_eq!(all.iter().map(|reply| reply.status.as_u16()).collect::<Vec<_>>(), [200; 4]);
    }

    #[tokio::test]
    async fn tokens() {
        let rig = Rig::new().await;
        assert_eq!(rig.ask_with_token("viewer-token", QUEUE, "").await.status.as_u16(), 200);
        let used = rig.desk.read(|desk| desk.token(&hashed("viewer-token"), unix_now()).and_then(|it| it.used));
        assert!(unix_now().since(used.unwrap()) < 60, "its use was noted");
        let wrong = rig.ask_with_token("viewer-tokem", QUEUE, "").await;
        insta::assert_snapshot!(wrong.line(), @r#"401 {"success":null,"message":"there is no such token, or it has expired","error":"there is no such token, or it has expired"}"#);
        assert_eq!(wrong.header("www-authenticate"), Some("Bearer realm=\"rosterd\", error=\"invalid_token\""));
        rig.edit(Edit::RevokeToken { account: name("boss"), name: name("viewer-token") }).await;
        assert_eq!(rig.ask_with_token("viewer-token", QUEUE, "").await, wrong);
        let (account, role, now) = (name("boss"), Role::Viewer, unix_now());
        let (hash, expires) = (hashed("old"), Some(now));
        rig.edit(Edit::AddToken { account, name: name("old"), role, hash, now, expires }).await;
        assert_eq!(rig.ask_with_token("old", QUEUE, "").await, wrong, "it has expired");
        let both = [("cookie", "libraryh3lp-session=boss"), ("authorization", "Bearer nonsense")];
        assert_eq!(rig.send(QUEUE, "", &both).await.status.as_u16(), 200, "a good cookie is enough");
    }

    #[tokio::test]
    async fn logging_out() {
        let rig = Rig::new().await;
        let reply = rig.ask("boss", "POST /api/auth/logout", "").await;
        insta::assert_snapshot!(reply.line(), @r#"200 {"success":true}"#);
        insta::assert_snapshot!(reply.header("set-cookie").unwrap(), @"libraryh3lp-session=; Path=/; HttpOnly; Secure; SameSite=Lax; Max-Age=0");
        assert_eq!(rig.ask("boss", QUEUE, "").await.status.as_u16(), 401);
        assert_eq!(rig.ask("boss", "POST /api/auth/logout", "").await, reply, "once more changes nothing");
    }

    #[tokio::test]
    async fn sessions_end_when_they_are_not_used() {
        let rig = Rig::new().await;
        rig.open_session("boss", "old", IDLE).await;
        assert_eq!(rig.ask("old", QUEUE, "").await.status.as_u16(), 401);
        rig.open_session("boss", "used", IDLE - 60).await;
        assert_eq!(rig.ask("used", QUEUE, "").await.status.as_u16(), 200);
        let used = rig.desk.read(|desk| desk.session(&hashed("used"), unix_now()).map(|session| session.used)).unwrap();
        assert!(unix_now().since(used) < 60, "the use was noted");
    }

    #[tokio::test]
    async fn another_password_ends_the_sessions() {
        let rig = Rig::new().await;
        rig.edit(Edit::SetPassword { login: name("boss"), password_hash: "none fits".into() }).await;
        assert_eq!(rig.ask("boss", QUEUE, "").await.status.as_u16(), 401);
        assert_eq!(log_in(&rig, "/api", "boss", PASSWORD).await.status.as_u16(), 401);
    }

    thread_local! {
        /// What was logged on this thread, which is all of this test and nothing of another.
        static LOG: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
    }

    struct ToLog;

    impl io::Write for ToLog {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            LOG.with_borrow_mut(|log| log.write(bytes))
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[tokio::test]
    async fn the_log_tells_no_secrets() {
        // For the whole process: tracing remembers of each place whether anybody listens, whichever thread comes by first.
        let subscriber = tracing_subscriber::fmt().with_ansi(false).with_max_level(tracing::Level::TRACE);
        tracing::subscriber::set_global_default(subscriber.with_writer(|| ToLog).finish()).unwrap();
        let rig = Rig::new().await;
        let reply = log_in(&rig, "/api", "boss", PASSWORD).await;
        let token = cookie(&reply).split_once('=').unwrap().1.to_owned();
        rig.ask(&token, "GET /2011-12-03/queues?password=pass:word", "").await;
        log_in(&rig, "/api", "boss", "nearly-right").await;
        log_in(&rig, "/api", "nearly-right", "").await;
        rig.send(QUEUE, "", &[("authorization", "Basic Ym9zczpwYXNzOndvcmQ=")]).await;
        let log = String::from_utf8(LOG.take()).unwrap();
        for seen in ["path=\"/2011-12-03/queues\"", "status=200", "login refused login=\"boss\""] {
            assert!(log.contains(seen), "{seen} in {log}");
        }
        for secret in [PASSWORD, &token, "nearly-right", "argon2id", "Ym9zczpwYXNzOndvcmQ"] {
            assert!(!log.contains(secret), "{secret} in {log}");
        }
    }

    #[tokio::test]
    async fn basic() {
        use base64::prelude::{BASE64_STANDARD, Engine as _};
        let rig = Rig::new().await;
        let ask = async |credentials: &str| {
            let header = format!("Basic {}", BASE64_STANDARD.encode(credentials));
            rig.send(QUEUE, "", &[("authorization", &header)]).await
        };
        assert_eq!(ask(&format!("boss:{PASSWORD}")).await.status.as_u16(), 200);
        assert_eq!(ask(&format!("rival:{PASSWORD}")).await.status.as_u16(), 404, "it is not theirs");
        let wrong = ask("boss:wrong").await;
        assert_eq!(wrong.status.as_u16(), 401);
        assert_eq!(wrong.header("www-authenticate"), Some("Basic realm=\"rosterd\", charset=\"UTF-8\""));
        assert_eq!(ask(&format!("nobody:{PASSWORD}")).await, wrong);
        let both = [("cookie", "libraryh3lp-session=boss"), ("authorization", "Basic nonsense")];
        assert_eq!(rig.send(QUEUE, "", &both).await.status.as_u16(), 200, "a good cookie is enough");
    }
}
