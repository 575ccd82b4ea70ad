//! What administrators are given: the table of metrics, the alerts, and the dashboard.

use std::{collections::BTreeSet, fs};

use rosterd::metrics::{Kind, families};
use serde_json::Value;

use crate::promtool::promtool;

const DEPLOY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy");

/// The table of all metrics.
fn table() -> String {
    let mut text = "# Metrics\n\n\
        What `/metrics` tells: on the admin socket (`rosterd metrics`), and over TCP where `[http] metrics_listen` is set.\n\n\
        | name | type | labels | what it tells |\n|---|---|---|---|\n"
        .to_owned();
    for family in families() {
        let kind = match family.kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram(_) => "histogram",
        };
        let labels: Vec<_> = family.labels.iter().map(|label| format!("`{label}`")).collect();
        let help = family.help.replace('<', "&lt;").replace('>', "&gt;");
        text += &format!("| `{}` | {kind} | {} | {help} |\n", family.name, labels.join(", "));
    }
    text
}

#[test]
fn every_metric_is_in_the_table() {
    let path = format!("{DEPLOY}/prometheus/METRICS.md");
    if std::env::var_os("UPDATE_METRICS").is_some() {
        fs::write(&path, table()).unwrap();
    }
    let found = fs::read_to_string(&path).unwrap();
    assert_eq!(found, table(), "run this test with UPDATE_METRICS=1 to write the table anew");
}

#[test]
fn names_and_units_are_as_is_usual() {
    for family in families() {
        let is_counter = matches!(family.kind, Kind::Counter);
        assert_eq!(family.name.ends_with("_total"), is_counter, "{}", family.name);
        assert!(family.help.ends_with('.'), "{}", family.name);
        let is_histogram = matches!(family.kind, Kind::Histogram(_));
        assert!(!is_histogram || family.name.ends_with("_seconds"), "{}", family.name);
    }
    let names: BTreeSet<_> = families().into_iter().map(|family| family.name).collect();
    assert_eq!(names.len(), families().len(), "each has a name of its own");
}

/// The metrics that an expression names.
fn named(expression: &str) -> impl Iterator<Item = &str> {
    let words = expression.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    words.filter(|word| word.starts_with("rosterd_") || word.starts_with("process_"))
}

/// What Prometheus makes of a histogram.
const OF_HISTOGRAMS: &[&str] = &["_bucket", "_sum", "_count"];

/// Fails where a metric is named that there is not; of a histogram, a name has one of these endings.
fn check_names(text: &str, endings: &[&str]) {
    let all = families();
    for name in named(text) {
        let is_it = all.iter().any(|family| match family.kind {
            Kind::Counter | Kind::Gauge => name == family.name,
            Kind::Histogram(_) => name.strip_prefix(family.name).is_some_and(|rest| endings.contains(&rest)),
        });
        assert!(is_it, "there is no metric {name}");
    }
}

#[test]
fn the_alerts_fire_when_they_should() {
    let path = format!("{DEPLOY}/prometheus/rules.yml");
    let text = fs::read_to_string(&path).unwrap();
    // In words a histogram has no ending.
    check_names(&text, &[OF_HISTOGRAMS, &[""]].concat());
    let of = |word: &str| text.lines().filter(|line| line.trim_start().starts_with(word)).count();
    for word in ["summary: ", "description: ", "severity: "] {
        assert_eq!(of(word), of("- alert: "), "each alert has a {word}");
    }
    promtool(&["check", "rules", &path], "");
    promtool(&["test", "rules", &format!("{DEPLOY}/prometheus/rules_test.yml")], "");
}

/// Every value below the keys of this name.
fn below<'a>(value: &'a Value, key: &str, found: &mut Vec<&'a str>) {
    match value {
        Value::Object(map) => {
            found.extend(map.get(key).and_then(Value::as_str));
            map.values().for_each(|value| below(value, key, found));
        }
        Value::Array(values) => values.iter().for_each(|value| below(value, key, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[test]
fn the_dashboard_shows_what_there_is() {
    let text = fs::read_to_string(format!("{DEPLOY}/grafana/rosterd.json")).unwrap();
    let dashboard: Value = serde_json::from_str(&text).unwrap();
    let mut expressions = Vec::new();
    below(&dashboard["panels"], "expr", &mut expressions);
    assert!(expressions.len() > 40);
    check_names(&expressions.join("\n"), OF_HISTOGRAMS);
    let shown: BTreeSet<_> = expressions.iter().flat_map(|expression| named(expression)).collect();
    for family in families().iter().filter(|family| family.name.starts_with("rosterd_")) {
        assert!(shown.iter().any(|name| name.starts_with(family.name)), "{} is not shown", family.name);
    }
    let mut sources = Vec::new();
    below(&dashboard["panels"], "uid", &mut sources);
    assert!(sources.iter().all(|uid| *uid == "${datasource}"), "whoever imports it says where the data is");
    let rows = dashboard["panels"].as_array().unwrap().iter().filter(|panel| panel["type"] == "row");
    let rows: Vec<_> = rows.filter_map(|row| row["title"].as_str()).collect();
    assert_eq!(rows, ["Link", "Queues", "Engine", "Store", "HTTP", "Process"]);
    // As rules they are parsed by Prometheus itself.
    let rule = |(number, expression): (usize, &&str)| {
        let filled = expression.replace("$__rate_interval", "5m").replace("$instance", ".*");
        format!("      - record: panel:{number}\n        expr: {}\n", Value::from(filled))
    };
    let rules: String = expressions.iter().enumerate().map(rule).collect();
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), format!("groups:\n  - name: panels\n    rules:\n{rules}")).unwrap();
    promtool(&["check", "rules", file.path().to_str().unwrap()], "");
}
