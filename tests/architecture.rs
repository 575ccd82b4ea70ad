//! Who may name whom: reads the source, and fails when a boundary of the architecture is crossed.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// Every source file, as a path below `src`, with its text without comments and tests.
fn sources() -> Vec<(String, String)> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                found.push(path);
            }
        }
    }
    let top = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut paths = Vec::new();
    walk(&top, &mut paths);
    paths.sort();
    assert!(paths.len() > 30, "the source is where this test looks for it");
    let read = |path: PathBuf| {
        let text = fs::read_to_string(&path).unwrap();
        let shipped = text.split("[cfg(test)]").next().unwrap_or_default();
        let code: Vec<_> = shipped.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
        (path.strip_prefix(&top).unwrap().to_str().unwrap().to_owned(), code.join("\n"))
    };
    paths.into_iter().map(read).collect()
}

/// Whether `code` names `word` as a path: `word::`, or `use word`.
fn names(code: &str, word: &str) -> bool {
    let is_start = |at: usize| {
        let before = code[..at].chars().next_back();
        !before.is_some_and(|c| c.is_alphanumeric() || c == '_')
    };
    let is_end = |at: usize| {
        let rest = &code[at + word.len()..];
        rest.starts_with("::") || rest.starts_with(';') || rest.starts_with(" as ")
    };
    code.match_indices(word).any(|(at, _)| is_start(at) && is_end(at))
}

/// The modules of the crate that `code` names: `crate::x`, also as `crate::{x, y::z}`.
fn modules_named(code: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (at, _) in code.match_indices("crate::") {
        let rest = &code[at + "crate::".len()..];
        let word = |text: &str| text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
        let Some(list) = rest.strip_prefix('{') else {
            found.insert(word(rest));
            continue;
        };
        let mut depth = 0;
        let mut item = String::new();
        for c in list.chars() {
            match c {
                '}' if depth == 0 => break,
                '{' => depth += 1,
                '}' => depth -= 1,
                ',' if depth == 0 => {
                    found.insert(word(item.trim()));
                    item.clear();
                    continue;
                }
                _ => {}
            }
            item.push(c);
        }
        found.insert(word(item.trim()));
    }
    found.remove("");
    found
}

/// The paths below `root::` that `code` names, each in full, also those in nested braces: `std::{fmt, net::{IpAddr}}`.
fn paths(code: &str, root: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (at, start) in code.match_indices(&format!("{root}::")) {
        let (mut path, mut outer) = (start.to_owned(), Vec::new());
        for c in code[at + start.len()..].chars() {
            match c {
                '{' => outer.push(path.clone()),
                ',' | '}' if !outer.is_empty() => {
                    found.insert(std::mem::take(&mut path));
                    path.clone_from(outer.last().unwrap());
                    if c == '}' {
                        outer.pop();
                    }
                }
                c if c.is_whitespace() && !outer.is_empty() => {}
                c if c.is_alphanumeric() || c == '_' || c == ':' => path.push(c),
                _ => break,
            }
        }
        found.insert(path);
    }
    found
}

#[test]
fn nested_paths_are_seen() {
    let code = "use std::{\n    fmt,\n    io::{self, Read},\n    net::IpAddr,\n};\nlet x = std::fs::read(y);";
    let found = paths(code, "std");
    for path in ["std::fmt", "std::io::self", "std::io::Read", "std::net::IpAddr", "std::fs::read"] {
        assert!(found.contains(path), "{path} in {found:?}");
    }
}

fn check(what: &str, crossings: &[String]) {
    assert!(crossings.is_empty(), "{what}:\n  {}", crossings.join("\n  "));
}

#[test]
fn the_domain_is_pure() {
    let forbidden = ["tokio", "serde", "serde_json", "tracing", "SystemTime"];
    // An address is data like a name; whatever can be opened is not.
    let is_outside = |path: &String| {
        ["std::fs", "std::io", "std::net", "std::process", "std::env", "std::thread"]
            .iter()
            .any(|it| path.starts_with(it))
            && path != "std::net::IpAddr"
    };
    let mut crossings = Vec::new();
    for (file, code) in sources().iter().filter(|(file, _)| file.starts_with("domain/")) {
        let words = forbidden.iter().filter(|word| names(code, word));
        crossings.extend(words.map(|word| format!("{file} names {word}")));
        crossings.extend(
            paths(code, "std").iter().filter(|path| is_outside(path)).map(|path| format!("{file} names {path}")),
        );
        let is_async = code.split(|c: char| !c.is_alphanumeric()).any(|word| word == "async" || word == "await");
        crossings.extend(is_async.then(|| format!("{file} is async")));
        crossings.extend(code.contains("::now()").then(|| format!("{file} reads a clock")));
        let others = modules_named(code).into_iter().filter(|module| module != "domain");
        crossings.extend(others.map(|module| format!("{file} names crate::{module}")));
    }
    check("the domain names nothing but itself", &crossings);
}

/// Each room, and which others it may name: the table in the documentation of the crate.
const ROOMS: [(&str, &[&str]); 13] = [
    ("domain", &[]),
    ("clock", &["domain"]),
    ("engine", &["clock", "domain", "metrics", "store", "telemetry"]),
    ("xmpp", &["clock", "config", "domain", "engine", "metrics", "telemetry"]),
    ("http", &["clock", "config", "domain", "engine", "metrics", "password", "telemetry"]),
    ("ejabberd", &["config", "domain", "engine", "telemetry"]),
    ("store", &["domain", "metrics"]),
    ("metrics", &["domain"]),
    ("password", &[]),
    ("config", &["domain"]),
    ("cli", &["app", "clock", "config", "domain", "engine", "http", "lifecycle", "password", "store", "telemetry"]),
    ("lifecycle", &[]),
    ("telemetry", &["config"]),
];

#[test]
fn each_room_names_only_what_it_may() {
    let mut crossings = Vec::new();
    for (file, code) in &sources() {
        let room = file.split(['/', '.']).next().unwrap_or_default();
        let Some((_, may)) = ROOMS.iter().find(|(name, _)| *name == room) else {
            assert!(["app", "lib", "main"].contains(&room), "{file} is in no room that this test knows");
            continue;
        };
        let strangers = modules_named(code).into_iter().filter(|other| other != room && !may.contains(&&**other));
        crossings.extend(strangers.map(|other| format!("{file} names crate::{other}")));
    }
    check("a room names only what the table in src/lib.rs says", &crossings);
    let table = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lib.rs")).unwrap();
    for (room, may) in ROOMS {
        let row = table.lines().find(|line| line.starts_with(&format!("//! | [`{room}`]")));
        let row = row.unwrap_or_else(|| panic!("{room} has no row"));
        let cell = row.trim_end_matches([' ', '|']).rsplit('|').next().unwrap_or_default();
        let named: BTreeSet<_> = cell.split('`').skip(1).step_by(2).collect();
        assert_eq!(named, may.iter().copied().collect(), "the row of {room}");
    }
}

#[test]
fn libraries_stay_in_their_rooms() {
    let rooms = [
        ("tokio_xmpp", "xmpp/"),
        ("xmpp_parsers", "xmpp/"),
        ("minidom", "xmpp/"),
        ("xso", "xmpp/"),
        ("axum", "http/"),
        ("axum_server", "http/"),
        ("form_urlencoded", "http/"),
        ("utoipa", "http/"),
        ("utoipa_axum", "http/"),
        ("rustls", "http/"),
        ("tokio_rustls", "ejabberd/client.rs"),
        ("percent_encoding", "http/"),
        ("rcgen", "http/"),
        ("x509_parser", "http/"),
        ("tower", "http/"),
        ("sled", "store/sled"),
        ("clap", "cli/"),
        ("clap_complete", "cli/"),
        ("indicatif", "cli/"),
        ("argon2", "password.rs"),
        ("sd_notify", "lifecycle/notify.rs"),
        ("listenfd", "lifecycle/sockets.rs"),
        ("prometheus", "metrics"),
        // Of the library `time`, whose name is also that of modules.
        ("OffsetDateTime", "clock.rs"),
    ];
    let mut crossings = Vec::new();
    for (file, code) in &sources() {
        let elsewhere = rooms.iter().filter(|(library, room)| !file.starts_with(room) && names(code, library));
        // A module of ours may have the library's name: `store::sled`, `pub mod sled`.
        let own = |library: &str| library == "sled" && file == "store/mod.rs";
        let main = |library: &str| library == "clap" && file == "main.rs";
        // A server's side of TLS in the one room, a client's in the other.
        let tls = |library: &str| library == "rustls" && file == "ejabberd/client.rs";
        let strangers = elsewhere.filter(|(library, _)| !own(library) && !main(library) && !tls(library));
        crossings.extend(strangers.map(|(library, room)| format!("{file} names {library}, which belongs to {room}")));
    }
    check("each library is named in one room only", &crossings);
}

#[test]
fn only_the_composition_root_names_all_adapters() {
    let mut crossings = Vec::new();
    for (file, code) in &sources() {
        let named = modules_named(code);
        let all = ["xmpp", "http", "store"].iter().all(|adapter| named.contains(*adapter));
        crossings.extend((all && file != "app.rs").then(|| file.clone()));
    }
    check("app.rs alone names all adapters", &crossings);
}

#[test]
fn the_test_sees_a_crossing() {
    assert!(names("use tokio::sync;", "tokio") && names("let x = tokio::spawn(y)", "tokio"));
    assert!(
        !names("use tokio_xmpp::x;", "tokio") && !names("my_tokio::x", "tokio") && !names("not a tokio here", "tokio")
    );
    let named = modules_named("use crate::{http::{a, b}, store};\nlet x = crate::xmpp::run();");
    assert_eq!(named.into_iter().collect::<Vec<_>>(), ["http", "store", "xmpp"]);
}
