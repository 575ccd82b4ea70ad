//! The description of what is served (`OpenAPI` 3.1), put together from the handlers themselves, and a page for people.
//!
//! It is checked into the repository as `deploy/openapi.json`; `UPDATE_OPENAPI=1 cargo test --lib openapi` writes it anew.

use axum::{
    Router,
    http::{HeaderValue, header},
    response::IntoResponse,
    routing::get,
};
use utoipa::{
    Modify, OpenApi,
    openapi::{
        self,
        security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme},
    },
};

use super::{Site, docs, json::Json};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "rosterd",
        description = "The staffing daemon for XMPP chat queues: who staffs which queue, is it open, and who is next?\n\n\
                       All below /v1 is of the account that is logged in. Numbers are never used again. Moments are of RFC 3339, in \
                       UTC. What a reply says is of one moment; nobody in between may keep it."
    ),
    modifiers(&Logins),
    security(("basic" = []), ("session" = [])),
    tags(
        (name = "queues", description = "Entry points that people staff"),
        (name = "operators", description = "Users on queues: enabled, suspended, ready"),
        (name = "users", description = "People whose presence is seen"),
        (name = "audit", description = "Who did what"),
        (name = "health", description = "For supervisors and load balancers, without login"),
    )
)]
struct Description;

/// The ways to log in.
struct Logins;

impl Modify for Logins {
    fn modify(&self, description: &mut openapi::OpenApi) {
        // There is none to name.
        description.info.license = None;
        let components = description.components.get_or_insert_default();
        let basic = HttpBuilder::new().scheme(HttpAuthScheme::Basic).build();
        components.add_security_scheme("basic", SecurityScheme::Http(basic));
        let cookie = ApiKey::Cookie(ApiKeyValue::new(super::auth::COOKIE));
        components.add_security_scheme("session", SecurityScheme::ApiKey(cookie));
    }
}

/// The description of all these parts together.
fn together(parts: impl IntoIterator<Item = openapi::OpenApi>) -> openapi::OpenApi {
    parts.into_iter().fold(Description::openapi(), openapi::OpenApi::merge_from)
}

/// `/openapi.json`, and `/docs`, which needs no script and nothing from elsewhere.
pub(super) fn routes(parts: impl IntoIterator<Item = openapi::OpenApi>) -> Router<Site> {
    let description = together(parts);
    let json = Json::of(&description);
    let page = docs::Page::of(&description);
    Router::new().route("/openapi.json", get(async move || json)).route("/docs", get(async move || page))
}

impl IntoResponse for docs::Page {
    fn into_response(self) -> axum::response::Response {
        let policy = format!(
            "default-src 'none'; style-src '{}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
            self.style_hash
        );
        let headers = [
            (header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")),
            (header::CONTENT_SECURITY_POLICY, HeaderValue::try_from(policy).expect("a hash is plain text")),
            (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
            (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
            (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
        ];
        (headers, self.html).into_response()
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use serde_json::Value;

    use crate::http::{health, testing::Rig, v1};

    fn description() -> String {
        let parts = [v1::routes().1, health::routes().1];
        serde_json::to_string_pretty(&super::together(parts)).unwrap() + "\n"
    }

    #[test]
    fn the_file_is_what_is_served() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/openapi.json");
        let now = description();
        if std::env::var_os("UPDATE_OPENAPI").is_some() {
            fs::write(&path, &now).unwrap();
        }
        let file = fs::read_to_string(&path).unwrap();
        assert!(file == now, "{} is out of date: UPDATE_OPENAPI=1 cargo test --lib openapi writes it", path.display());
    }

    #[tokio::test]
    async fn it_is_served_to_everybody() {
        let rig = Rig::new().await;
        let reply = rig.send("GET /openapi.json", "", &[]).await;
        assert_eq!(reply.status.as_u16(), 200);
        let served: Value = serde_json::from_str(&reply.body).unwrap();
        assert_eq!(served, serde_json::from_str::<Value>(&description()).unwrap());
        assert_eq!(served["openapi"], "3.1.0");
        let page = rig.send("GET /docs", "", &[]).await;
        assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
        let policy = page.header("content-security-policy").unwrap();
        assert!(policy.starts_with("default-src 'none'; style-src 'sha256-"), "{policy}");
        for path in served["paths"].as_object().unwrap().keys() {
            assert!(page.body.contains(&format!("<code>{path}</code>")), "{path} is on the page");
        }
        for kind in v1::problem::Kind::ALL {
            assert!(page.body.contains(&format!("id=\"{}\"", kind.what().0)), "where types of problems lead");
        }
        for foreign in ["<script", "src=", "http://", "@import", "url("] {
            assert!(!page.body.contains(foreign), "{foreign}: the page needs nothing from elsewhere");
        }
    }

    /// Whoever adds a route adds it with its description.
    #[test]
    fn no_route_goes_without_a_description() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/http");
        let files = fs::read_dir(folder.join("v1")).unwrap().map(|entry| entry.unwrap().path());
        for file in files.chain([folder.join("health.rs")]) {
            let text = fs::read_to_string(&file).unwrap();
            assert!(!text.contains(".route("), "{} has a route that is not described", file.display());
        }
    }

    #[test]
    fn every_operation_says_what_it_is() {
        let description: Value = serde_json::from_str(&description()).unwrap();
        let mut names = std::collections::BTreeSet::new();
        for (path, methods) in description["paths"].as_object().unwrap() {
            for (method, operation) in methods.as_object().unwrap() {
                assert!(operation["summary"].as_str().is_some_and(|text| !text.is_empty()), "{method} {path}");
                let name = operation["operationId"].as_str().unwrap();
                assert!(names.insert(name.to_owned()), "{name} is there twice");
                assert!(operation["responses"]["200"].is_object(), "{method} {path}");
                let parameters = operation["parameters"].as_array().into_iter().flatten();
                for parameter in parameters {
                    let said = [&parameter["description"], &parameter["schema"]["description"]];
                    assert!(said.iter().any(|said| said.is_string()), "{method} {path}: {}", parameter["name"]);
                }
            }
        }
    }
}
