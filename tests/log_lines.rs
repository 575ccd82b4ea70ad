//! The table of log lines in `deploy/operations.md` has every line at `WARN` and `ERROR` that the source can say, and no others.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

type Line = (String, String);

/// Every `warn!` and `error!` in shipped code, as the level and the message.
fn said() -> BTreeSet<Line> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|ending| ending == "rs") && !path.ends_with("tests.rs") {
                found.push(path);
            }
        }
    }
    let mut paths = Vec::new();
    walk(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut paths);
    paths.iter().flat_map(|path| of_code(&fs::read_to_string(path).unwrap())).collect()
}

fn of_code(text: &str) -> Vec<Line> {
    // Tests stand at the end; before that one thing of theirs may be made known.
    let shipped = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    let mut lines = Vec::new();
    for (level, name) in [("WARN", "warn!("), ("ERROR", "error!(")] {
        for (at, _) in shipped.match_indices(name) {
            let is_word = shipped[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_');
            if !is_word {
                lines.push((level.to_owned(), message(&shipped[at + name.len()..])));
            }
        }
    }
    lines
}

/// The message of a macro whose arguments begin here: the last text among them, with `…` for what is put into it.
fn message(arguments: &str) -> String {
    let (mut depth, mut last) = (1, None);
    let mut rest = arguments.char_indices();
    while let Some((at, c)) = rest.next() {
        match c {
            '(' => depth += 1,
            ')' if depth == 1 => break,
            ')' => depth -= 1,
            '"' => {
                let mut escaped = false;
                let end = rest.find(|(_, c)| {
                    let is_end = *c == '"' && !escaped;
                    escaped = *c == '\\' && !escaped;
                    is_end
                });
                last = Some(&arguments[at + 1..end.unwrap().0]);
            }
            _ => {}
        }
    }
    let text = last.unwrap_or_else(|| panic!("no message in {}", &arguments[..arguments.len().min(80)]));
    let lines: Vec<_> = text.split("\\\n").map(str::trim_start).collect();
    let text = lines.concat().replace("\\\"", "\"");
    let mut parts = text.split('{');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| format!("{text}…{}", part.split_once('}').map_or("", |(_, rest)| rest)))
}

/// The rows of the table, each with what is to be done.
fn rows() -> Vec<(Line, String)> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/operations.md");
    let text = fs::read_to_string(path).unwrap();
    let table = text.split("## Lines at WARN and ERROR").nth(1).unwrap().to_owned();
    let rows = table.lines().filter(|line| line.starts_with("| WARN") || line.starts_with("| ERROR"));
    let cells = rows.map(|row| row.trim_matches('|').splitn(3, '|').map(str::trim).collect::<Vec<_>>());
    let row = |cells: Vec<&str>| {
        let line = (cells[0].to_owned(), cells[1].trim_matches('`').to_owned());
        (line, cells[2].to_owned())
    };
    cells.map(row).collect()
}

#[test]
fn the_table_has_every_line() {
    let (said, rows) = (said(), rows());
    let told: BTreeSet<_> = rows.iter().map(|(line, _)| line.clone()).collect();
    assert!(said.len() > 20, "the source is where this test looks for it");
    assert_eq!(told.len(), rows.len(), "each stands there once");
    let missing: Vec<_> = said.difference(&told).collect();
    let gone: Vec<_> = told.difference(&said).collect();
    assert!(
        missing.is_empty() && gone.is_empty(),
        "missing in deploy/operations.md: {missing:#?}\nnot said: {gone:#?}"
    );
    for (line, what_to_do) in rows {
        assert!(what_to_do.len() > 10, "{line:?} says nothing of what to do");
    }
}

#[test]
fn messages_are_found() {
    let code = r#"
        error!(error = %chain(&f("x")), "the \"first\" \
            line");
        tracing::warn!(a, "with {b} and {c:?}.");
        my_error!("not this");
        error_span!("nor this");
#[cfg(test)]
use this;
        error!("after that");
#[cfg(test)]
mod tests {
        warn!("nor this");
}
    "#;
    let line = |level: &str, text: &str| (level.to_owned(), text.to_owned());
    assert_eq!(
        of_code(code),
        [line("WARN", "with … and …."), line("ERROR", "the \"first\" line"), line("ERROR", "after that")]
    );
}
