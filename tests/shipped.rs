//! What is shipped beside the program: the man pages format without a warning, every shell loads its completions and completes
//! with them, and the package's settings lack what is to be filled in, and nothing else. That pages and completions are those of
//! this program, a test in `src/cli/manual.rs` sees to.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

#[path = "support/skip.rs"]
mod skip;

use std::{io::ErrorKind, path::Path, process::Command};

use skip::skip;

fn shipped(name: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy").join(name).to_str().unwrap().to_owned()
}

/// What a program prints; `None`, said loudly, where it is not installed. It has to succeed without a word of complaint.
fn output(program: &str, arguments: &[&str]) -> Option<String> {
    let mut command = Command::new(program);
    command.args(arguments).env("LC_ALL", "C.UTF-8").env("MANWIDTH", "100").env_remove("MANPAGER");
    let output = match command.output() {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            skip(&format!("{program} is not installed: what is shipped for it is not tried"));
            return None;
        }
        output => output.unwrap(),
    };
    let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success() && complaint.is_empty(), "{program} {arguments:?}: {complaint}");
    Some(String::from_utf8(output.stdout).unwrap())
}

#[test]
fn man_pages_format_without_a_warning() {
    let check = |page: &str, in_order: &[&str]| {
        let Some(text) = output("man", &["--warnings", "-E", "UTF-8", "-l", &shipped(page)]) else { return };
        let mut rest = &*text;
        for heading in in_order {
            let at = rest.find(&format!("\n{heading}")).unwrap_or_else(|| panic!("{page}: no {heading} in {rest}"));
            rest = &rest[at + 1..];
        }
        assert!(!text.contains(['`', '\\']), "{page}: {text}");
    };
    let sections =
        ["NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "COMMANDS", "   rosterd serve", "   rosterd account add"];
    check("man/rosterd.8", &[&sections[..], &["EXIT STATUS", "FILES", "SIGNALS", "ENVIRONMENT", "SEE ALSO"]].concat());
    check("man/rosterd.toml.5", &["NAME", "DESCRIPTION", "[xmpp]", "       server = ", "[http]", "[log]", "SEE ALSO"]);
}

#[test]
fn bash_completes() {
    let script = shipped("completions/rosterd.bash");
    let line =
        "source \"$1\"; COMP_WORDS=(rosterd account a); COMP_CWORD=2; _rosterd rosterd a account; echo ${COMPREPLY[@]}";
    let said = output("bash", &["--norc", "-c", line, "bash", &script]).expect("bash is there, as in tests/run.sh");
    assert_eq!(said, "add\n");
}

#[test]
fn zsh_loads_its_completions() {
    let script = shipped("completions/_rosterd");
    let line = "autoload -Uz compinit && compinit -u -D && source $1 && print $_comps[rosterd] && whence -w _rosterd__subcmd__account_commands";
    if let Some(said) = output("zsh", &["-f", "-c", line, "zsh", &script]) {
        assert_eq!(said, "_rosterd\n_rosterd__subcmd__account_commands: function\n");
    }
}

#[test]
fn fish_completes() {
    let script = shipped("completions/rosterd.fish");
    let line = format!("source {script}; complete -C 'rosterd account a'");
    if let Some(said) = output("fish", &["--no-config", "-c", &line]) {
        assert!(said.starts_with("add\t"), "{said}");
    }
}

#[test]
fn the_command_prints_what_is_shipped() {
    for (shell, file) in [("bash", "rosterd.bash"), ("zsh", "_rosterd"), ("fish", "rosterd.fish")] {
        let printed = output(env!("CARGO_BIN_EXE_rosterd"), &["completions", shell]).unwrap();
        let kept = std::fs::read_to_string(shipped("completions").as_str().to_owned() + "/" + file).unwrap();
        assert_eq!(printed.trim_end(), kept.trim_end(), "{shell}");
    }
}

#[test]
fn the_settings_of_the_package_lack_three_things() {
    let secret = tempfile::NamedTempFile::new().unwrap();
    let text = std::fs::read_to_string(shipped("debian/rosterd.toml")).unwrap();
    let text = text.replace("/etc/rosterd/xmpp-secret\"\n", &format!("{}\"\n", secret.path().display()));
    let wrong = rosterd::config::parse(&text).unwrap_err();
    let keys: Vec<_> = wrong.0.iter().map(|problem| &*problem.key).collect();
    assert_eq!(keys, ["xmpp.domain", "xmpp.secret_file", "xmpp.user_domain"], "{wrong}");
    std::fs::write(&secret, "s3cr3t\n").unwrap();
    let filled = text.replace("\ndomain = \"\"", "\ndomain = \"queues.example.org\"");
    let filled = filled.replace("user_domain = \"\"", "user_domain = \"example.org\"");
    let settings = rosterd::config::parse(&filled).unwrap();
    assert_eq!(settings.xmpp.secret.reveal(), "s3cr3t");
}
