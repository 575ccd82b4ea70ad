//! The description of what is served (`OpenAPI` 3.1), put together from the handlers themselves, and a page for people.
//!
//! It is checked into the repository as `deploy/openapi.json`; `UPDATE_OPENAPI=1 cargo test --lib openapi` writes it anew.

use std::sync::Arc;

use axum::{
    Router,
    extract::State,
    http::{HeaderValue, header},
    response::IntoResponse,
};
use utoipa::{
    Modify, OpenApi,
    openapi::{
        self,
        security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme},
    },
};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{Site, docs, health, json::Json, libraryh3lp, presence, v1};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "rosterd",
        description = "The staffing daemon for XMPP chat queues: who staffs which queue, is it open, and who is next?\n\n\
                       All below /v1 and below the prefixes of the LibraryH3lp-compatible API is of the account that is logged in. \
                       Numbers are never used again. Moments are of RFC 3339, in UTC. What a reply says is of one moment; nobody in \
                       between may keep it.\n\n\
                       What goes wrong below /v1 is told as problem details, everywhere else as a Failure. Every path answers 404 \
                       where there is nothing, and 405 with Allow to a method that it does not have. What names no host, or two, is answered 400 \
                       everywhere. Before anything is looked at, what is no HTTP at all is answered 400, and a head that is \
                       too large 431: both without a body, and the connection ends."
    ),
    modifiers(&Logins),
    security(("bearer" = []), ("basic" = []), ("session" = [])),
    tags(
        (name = "queues", description = "Entry points that people staff"),
        (name = "operators", description = "Users on queues: enabled, suspended, ready"),
        (name = "users", description = "People whose presence is seen"),
        (name = "audit", description = "Who did what"),
        (name = "libraryh3lp", description = "What clients of the LibraryH3lp API expect, in four versions, each below a prefix of its \
            own. Later ones read queues, users and operators in short; all else is the same below each prefix, and a session of \
            one is good for all.\n\nFields come as JSON, as a form, or where the body is empty in the query; which of them are \
            needed, the failure says. What is wrong with them is a Failure with the status 200. A POST with `_method` (PUT, PATCH \
            or DELETE; in the query or among the fields) is that method. A slash at the end of a path means nothing."),
        (name = "presence", description = "How one queue is, for everybody and without login. It may be kept, and asked for again \
            with `If-None-Match`. The same behind each prefix of the LibraryH3lp-compatible API"),
        (name = "description", description = "What there is"),
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
        let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("rosterd_...");
        let bearer = bearer.description(Some("A token for programs: `rosterd token add` makes one.")).build();
        components.add_security_scheme("bearer", SecurityScheme::Http(bearer));
        let cookie = ApiKey::Cookie(ApiKeyValue::new(super::auth::COOKIE));
        components.add_security_scheme("session", SecurityScheme::ApiKey(cookie));
    }
}

/// What is served of the description.
#[derive(Debug)]
struct Served {
    json: Json,
    page: docs::Page,
}

/// `/openapi.json`, and `/docs`, which needs no script and nothing from elsewhere.
pub(super) fn routes() -> Router<Site> {
    let description = description();
    let served = Served { json: Json::of(&description), page: docs::Page::of(&description) };
    own().0.with_state(Arc::new(served))
}

/// The description of everything that is served.
fn description() -> openapi::OpenApi {
    let parts = [v1::routes().1, libraryh3lp::description(), presence::description(), own().1, health::routes().1];
    parts.into_iter().fold(Description::openapi(), openapi::OpenApi::merge_from)
}

fn own() -> (Router<Arc<Served>>, openapi::OpenApi) {
    OpenApiRouter::new().routes(routes!(json)).routes(routes!(page)).split_for_parts()
}

/// Describes what is served, for programs: this.
#[utoipa::path(get, path = "/openapi.json", operation_id = "getDescription", tag = "description", security(()), responses(
    (status = 200, description = "The description (OpenAPI 3.1)", body = Object, content_type = "application/json")
))]
async fn json(State(served): State<Arc<Served>>) -> Json {
    served.json.clone()
}

/// Describes what is served, for people.
#[utoipa::path(get, path = "/docs", operation_id = "getDocumentation", tag = "description", security(()), responses(
    (status = 200, description = "The same as a page", body = String, content_type = "text/html")
))]
async fn page(State(served): State<Arc<Served>>) -> docs::Page {
    served.page.clone()
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
    use std::{
        collections::{BTreeMap, BTreeSet},
        fs,
        path::{Path, PathBuf},
    };

    use serde_json::Value;

    use crate::http::{
        libraryh3lp::{self, VERSIONS},
        testing::Rig,
        v1,
    };

    fn description() -> String {
        serde_json::to_string_pretty(&super::description()).unwrap() + "\n"
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

    /// Every path, with what there is of each method.
    fn described() -> BTreeMap<String, Vec<(String, Value)>> {
        let description: Value = serde_json::from_str(&description()).unwrap();
        let pairs = |it: &Value| it.as_object().unwrap().clone().into_iter().collect::<Vec<_>>();
        pairs(&description["paths"]).into_iter().map(|(path, methods)| (path, pairs(&methods))).collect()
    }

    fn files(folder: &Path) -> Vec<PathBuf> {
        let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
    }

    /// Whoever adds a route adds it with its description: to a router that wants both together, or to a table that is compared
    /// with the description, here or in its own folder.
    #[test]
    fn no_route_goes_without_a_description() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/http");
        let mut tables = Vec::new();
        for file in files(&folder) {
            let text = fs::read_to_string(&file).unwrap();
            let shipped = text.split("#[cfg(test)]\nmod tests").next().unwrap();
            let routes = [".route(", ".route_service(", ".nest_service("].map(|word| shipped.matches(word).count());
            // The admin's socket is no part of it.
            if routes != [0; 3] && !file.starts_with(folder.join("admin")) {
                tables.push((file.strip_prefix(&folder).unwrap().display().to_string(), routes));
            }
        }
        tables.sort();
        // Two for what is in the table, with and without a slash at the end, and one for what is left out.
        let known = [("libraryh3lp/mod.rs".to_owned(), [1, 2, 0]), ("presence/mod.rs".to_owned(), [1, 0, 0])];
        assert_eq!(tables, known, "these routes are not described");
    }

    #[test]
    fn what_is_in_the_table_is_in_the_description_and_the_other_way_round() {
        let left_out = "/{other}";
        let paths = libraryh3lp::paths().filter(|path| *path != left_out);
        let served: BTreeSet<_> =
            paths.flat_map(|path| VERSIONS.map(|(prefix, _)| format!("{prefix}{path}"))).collect();
        let is_of_it = |path: &String| VERSIONS.iter().any(|(prefix, _)| path.starts_with(&format!("{prefix}/")));
        let described = described().into_keys().filter(|path| is_of_it(path) && !path.contains("/presence/"));
        assert_eq!(described.collect::<BTreeSet<_>>(), served);
        assert_eq!(served.len(), 40);
    }

    /// What the routers say of themselves.
    #[tokio::test]
    async fn every_path_has_the_methods_that_are_described() {
        let rig = Rig::new().await;
        for (path, methods) in described() {
            let named = path.replace("{theme}", "badge").replace("{show}", "away");
            let part = |part: &str| if part.starts_with('{') { "3".to_owned() } else { part.to_owned() };
            let place = named.split('/').map(part).collect::<Vec<_>>().join("/");
            let reply = rig.send(&format!("PROPFIND {place}"), "", &[]).await;
            assert_eq!(reply.status.as_u16(), 405, "{path}");
            let allowed: BTreeSet<_> = reply.header("allow").unwrap().split(',').map(str::to_lowercase).collect();
            let mut said: BTreeSet<_> = methods.into_iter().map(|(method, _)| method).collect();
            if said.contains("get") {
                said.insert("head".to_owned());
            }
            assert_eq!(allowed, said, "{path}");
        }
    }

    #[test]
    fn everything_that_is_referred_to_is_there() {
        fn check(all: &Value, part: &Value) {
            match part {
                Value::Object(fields) => {
                    if let Some(reference) = fields.get("$ref") {
                        let pointer = reference.as_str().unwrap().strip_prefix('#').unwrap();
                        assert!(all.pointer(pointer).is_some(), "{reference}");
                    }
                    fields.values().for_each(|part| check(all, part));
                }
                Value::Array(parts) => parts.iter().for_each(|part| check(all, part)),
                Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
            }
        }
        let description = serde_json::from_str(&description()).unwrap();
        check(&description, &description);
    }

    #[test]
    fn every_operation_says_what_it_is() {
        let description: Value = serde_json::from_str(&description()).unwrap();
        let mut names = BTreeSet::new();
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
