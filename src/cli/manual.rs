//! The man pages and the shells' completions, as they are checked into the repository under `deploy`, from which the package
//! takes them: `UPDATE_MAN=1 cargo test --lib manual` writes them anew.
//!
//! The pages are made of what `--help` and the example of the configuration say; what neither says stands here.

use std::{fs, path::Path};

use clap::{Command, CommandFactory};
use clap_mangen::{
    Man,
    roff::{Inline, Roff, bold, roman},
};

use super::{Arguments, completions, exit};
use crate::config::{self, Given, Key};

/// Where the daemon keeps things, but for what settings say.
const FILES: [(&str, &str); 2] = [
    (config::DEFAULT_PATH, "The settings: see rosterd.toml(5)."),
    (
        "/etc/rosterd/xmpp-secret",
        "Where rosterd is installed from its package: the secret that the XMPP server knows the component by, and nothing \
         else. It is root's alone; systemd hands it to the daemon.",
    ),
];

/// The settings that say where else it keeps things.
const PLACES: [&str; 2] = ["store.path", "admin.socket"];

const SIGNALS: [(&str, &str); 2] = [
    (
        "SIGTERM, SIGINT",
        "End the daemon: whoever follows a queue is told that it is closed, requests that were begun are answered, and the \
         store is flushed, within ten seconds. A second one ends it at once.",
    ),
    ("SIGHUP", "Has the daemon read anew what may have changed, as `systemctl reload rosterd` does."),
];

const ENVIRONMENT: [(&str, &str); 2] = [
    ("ROSTERD__SECTION__KEY", "Sets a key, over what the file says: `ROSTERD__XMPP__SERVER` is `server` in `[xmpp]`."),
    (
        "CREDENTIALS_DIRECTORY, NOTIFY_SOCKET, WATCHDOG_USEC, LISTEN_FDS",
        "Set by systemd, where it runs the daemon: secrets that it hands over, where to say that the daemon is ready and \
         lives, and sockets that it has opened. See systemd.exec(5), sd_notify(3) and systemd.socket(5).",
    ),
];

/// rosterd(8).
fn program() -> String {
    let mut command = Arguments::command().version(env!("CARGO_PKG_VERSION"));
    command.build();
    let about = command.get_about().map(ToString::to_string).unwrap_or_default();
    let (short, long) = about.split_once(": ").expect("what it is, and then what it does");
    let mut page = head("rosterd", "8", short);
    page.control("SH", ["SYNOPSIS"]);
    page.text([bold("rosterd"), roman(" [--config FILE] COMMAND ...")]);
    page.control("SH", ["DESCRIPTION"]);
    page.text([roman(format!("It {}.", long.trim_end_matches('.')))]);
    page.control("PP", []);
    page.text([roman(
        "While the daemon runs the other commands talk to it over its admin socket, which root and the daemon's own user may \
         use. Otherwise those that do not need it open the store themselves: run them as the user that owns it.",
    )]);
    page.control("SH", ["OPTIONS"]);
    let mut page = page.render();
    page += &options(command.clone().mut_subcommands(|it| it.hide(true)));
    page += &Roff::new().control("SH", ["COMMANDS"]).to_roff();
    for leaf in leaves(&command) {
        page += &subcommand(leaf);
    }
    let places = config::keys().filter(|key| PLACES.contains(&key.path)).map(|key| {
        let (Given::Default(path) | Given::Required(path) | Given::Optional(path)) = key.value;
        (path.trim_matches('"'), key.doc)
    });
    let mut rest = Roff::new();
    terms(&mut rest, "EXIT STATUS", exit::HELP.lines().skip(1).filter_map(|line| line.trim().split_once("  ")));
    terms(&mut rest, "FILES", FILES.into_iter().chain(places));
    terms(&mut rest, "SIGNALS", SIGNALS);
    terms(&mut rest, "ENVIRONMENT", ENVIRONMENT);
    rest.control("SH", ["SEE ALSO"]);
    rest.text([roman("rosterd.toml(5), systemctl(1), journalctl(1), prosodyctl(8), ejabberdctl(8)")]);
    in_bold(&(page + &rest.to_roff()))
}

/// rosterd.toml(5).
fn settings() -> String {
    let mut page = head("rosterd.toml", "5", "Settings of rosterd");
    page.control("SH", ["SYNOPSIS"]);
    page.text([bold(config::DEFAULT_PATH)]);
    page.control("SH", ["DESCRIPTION"]);
    let lines = [
        "A file in TOML, with sections and keys; an unknown key is an error. What is given with a key here is its default, \
         unless something else is said. A key can also be set in the environment, which goes over the file: \
         `ROSTERD__XMPP__SERVER` is `server` in `[xmpp]`.",
        "`rosterd check-config` says everything that is wrong with the file, and `rosterd check-config --example` prints \
         one with every key.",
    ];
    for line in lines {
        page.text([roman(line)]);
        page.control("PP", []);
    }
    let mut section = "";
    for key in config::keys() {
        let (its_section, name) = key.path.rsplit_once('.').unwrap_or_default();
        if its_section != section {
            section = its_section;
            page.control("SH", [&*format!("[{section}]")]);
        }
        page.control("TP", []);
        page.text(given(name, key));
        page.text([roman(key.doc)]);
    }
    page.control("SH", ["SEE ALSO"]);
    page.text([roman("rosterd(8)")]);
    in_bold(&page.render())
}

fn given(name: &str, key: &Key) -> [Inline; 2] {
    let value = match key.value {
        Given::Default(value) => format!(" = {value}"),
        Given::Required(value) => format!(" = {value} (an example: it has to be set)"),
        Given::Optional(value) => format!(" = {value} (an example: it is not set)"),
    };
    [bold(name), roman(value)]
}

fn head(name: &str, section: &str, what: &str) -> Roff {
    let source = concat!("rosterd ", env!("CARGO_PKG_VERSION"));
    let mut page = Roff::new();
    page.control("TH", [&*name.to_uppercase(), section, "", source, "System administration"]);
    // Keys and paths are not to be hyphenated, and lines without a good place to break are not to be stretched.
    page.control("nh", []);
    page.control("ad", ["l"]);
    page.control("SH", ["NAME"]);
    page.text([roman(format!("{name} - {}", what.trim_end_matches('.')))]);
    page
}

/// The commands that do something, each once, in the order of the help.
fn leaves(command: &Command) -> Vec<&Command> {
    let below = command.get_subcommands().filter(|below| below.get_name() != "help");
    below.flat_map(|below| if below.has_subcommands() { leaves(below) } else { vec![below] }).collect()
}

fn subcommand(leaf: &Command) -> String {
    // The options of all commands are told of once.
    let of_all = |argument: clap::Arg| {
        let hide = argument.is_global_set() || ["help", "version"].contains(&argument.get_id().as_str());
        argument.hide(hide)
    };
    let mut leaf = leaf.clone().mut_args(of_all);
    let usage = leaf.render_usage().to_string();
    let mut out = Roff::new();
    out.control("SS", [usage.trim_start_matches("Usage: ")]);
    out.text([roman(leaf.get_about().map(ToString::to_string).unwrap_or_default() + ".")]);
    out.to_roff() + &options(leaf)
}

/// What `command` takes, without the headings; they follow what is before them.
fn options(command: Command) -> String {
    let mut out = Vec::new();
    Man::new(command).render_options_section(&mut out).expect("a Vec takes everything");
    let out = String::from_utf8(out).expect("the help is UTF-8");
    out.lines()
        .filter(|line| ![".ie", ".el", ".SH"].iter().any(|it| line.starts_with(it)))
        .fold(String::new(), |text, line| text + line + "\n")
}

fn terms<'a>(page: &mut Roff, heading: &str, all: impl IntoIterator<Item = (&'a str, &'a str)>) {
    page.control("SH", [heading]);
    for (term, text) in all {
        page.control("TP", []);
        page.text([bold(term)]);
        page.text([roman(text.trim())]);
    }
}

/// What stands between backticks, in bold.
fn in_bold(page: &str) -> String {
    let mut out = String::new();
    for line in page.lines() {
        let pieces: Vec<_> = line.split('`').collect();
        assert!(pieces.len() % 2 == 1, "a backtick too many: {line}");
        for (at, piece) in pieces.into_iter().enumerate() {
            out += &if at % 2 == 1 { format!("\\fB{piece}\\fR") } else { piece.to_owned() };
        }
        out.push('\n');
    }
    out
}

#[test]
fn the_pages_and_completions_are_those_of_the_command_line() {
    let files = [
        ("man/rosterd.8", program()),
        ("man/rosterd.toml.5", settings()),
        ("completions/rosterd.bash", completions::script(completions::Known::Bash)),
        ("completions/_rosterd", completions::script(completions::Known::Zsh)),
        ("completions/rosterd.fish", completions::script(completions::Known::Fish)),
    ];
    let deploy = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy");
    for (name, text) in files {
        let path = deploy.join(name);
        if std::env::var_os("UPDATE_MAN").is_some() {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, &text).unwrap();
        }
        let kept = fs::read_to_string(&path).unwrap_or_default();
        assert!(kept == text, "deploy/{name} is old: UPDATE_MAN=1 cargo test --lib manual");
    }
}
