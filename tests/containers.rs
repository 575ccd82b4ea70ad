//! What can rot in the container files without anybody building them: that what they copy is there, that what they name alike is
//! alike, and that the settings they give are good. They are not built here: that needs a registry.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

const CONTAINERFILE: &str = "deploy/Containerfile";
const PROSODY: &str = "deploy/container/Prosody";
const COMPOSE: &str = "deploy/compose.yml";

fn top() -> PathBuf {
    env!("CARGO_MANIFEST_DIR").into()
}

fn read(path: &str) -> String {
    fs::read_to_string(top().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// What a file copies out of the source.
fn copied(text: &str) -> Vec<&str> {
    let copies = text.lines().filter_map(|line| line.strip_prefix("COPY ")).filter(|line| !line.contains("--from="));
    copies.flat_map(|line| line.rsplit_once(' ').unwrap().0.split_whitespace()).collect()
}

/// The settings that the compose file gives in the environment of rosterd.
fn environment(compose: &str) -> BTreeMap<&str, &str> {
    let pairs = compose.lines().filter_map(|line| line.trim().split_once(": "));
    pairs.filter(|(name, _)| name.starts_with("ROSTERD__")).collect()
}

#[test]
fn what_is_copied_is_there_and_let_through() {
    let ignored = read(".containerignore");
    for file in [CONTAINERFILE, PROSODY] {
        let text = read(file);
        let copied = copied(&text);
        assert!(!copied.is_empty(), "{file} is read right");
        for path in copied {
            assert!(top().join(path).exists(), "{file} copies {path}, which is not there");
            let is_let_through =
                |line: &str| line.strip_prefix('!').is_some_and(|kept| Path::new(path).starts_with(kept));
            assert!(ignored.lines().any(is_let_through), "{path} is needed, and .containerignore keeps it out");
        }
    }
    let compose = read(COMPOSE);
    let named = compose.lines().filter_map(|line| line.trim().strip_prefix("dockerfile: ")).collect::<Vec<_>>();
    assert_eq!(named, [PROSODY, CONTAINERFILE]);
    assert_eq!(fs::read_link(top().join(".dockerignore")).unwrap(), Path::new(".containerignore"));
}

#[test]
fn versions_are_those_of_the_source() {
    let (file, cargo, compose) = (read(CONTAINERFILE), read("Cargo.toml"), read(COMPOSE));
    let version = env!("CARGO_PKG_VERSION");
    assert!(
        file.contains(&format!("ARG VERSION={version}\n")) && compose.contains(&format!("image: rosterd:{version}\n"))
    );
    let rust = file.lines().find_map(|line| line.strip_prefix("ARG RUST_VERSION=")).unwrap();
    let least = format!("rust-version = \"{}\"", rust.rsplit_once('.').unwrap().0);
    assert!(cargo.contains(&least), "the image builds with Rust {rust}, and Cargo.toml says otherwise");
}

#[test]
fn the_settings_are_good() {
    let (file, compose) = (read(CONTAINERFILE), read(COMPOSE));
    let folder = tempfile::tempdir().unwrap();
    let secret = folder.path().join("component-secret");
    fs::write(&secret, "s3cr3t\n").unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_rosterd"));
    command.arg("check-config").env_clear();
    let listen = file.lines().find_map(|line| line.strip_prefix("ENV ROSTERD__HTTP__LISTEN=")).unwrap();
    command.env("ROSTERD__HTTP__LISTEN", listen);
    let settings = environment(&compose);
    assert_eq!(settings["ROSTERD__XMPP__SECRET_FILE"], "/run/secrets/component-secret");
    command.envs(&settings).env("ROSTERD__XMPP__SECRET_FILE", &secret);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));

    // Both sides of the link have the same names.
    let component = format!("COMPONENT_DOMAIN: {}\n", settings["ROSTERD__XMPP__DOMAIN"]);
    let users = format!("USER_DOMAIN: {}\n", settings["ROSTERD__XMPP__USER_DOMAIN"]);
    assert!(compose.contains(&component) && compose.contains(&users));
    let prosody = read("deploy/container/prosody.cfg.lua");
    assert!(
        ["ENV_COMPONENT_DOMAIN", "ENV_USER_DOMAIN", "ENV_COMPONENT_SECRET"].iter().all(|name| prosody.contains(name))
    );
}
