//! What was found.

use std::fmt;

use serde::Serialize;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Level {
    Ok,
    /// It works, and should be looked at.
    Warning,
    /// It does not work, or soon will not.
    Problem,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Finding {
    pub(super) check: &'static str,
    pub(super) level: Level,
    /// What is the matter.
    pub(super) what: String,
    /// What is to be done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) to_do: Option<String>,
}

impl Finding {
    pub(super) fn ok(check: &'static str, what: impl fmt::Display) -> Self {
        Self { check, level: Level::Ok, what: what.to_string(), to_do: None }
    }

    pub(super) fn warning(check: &'static str, what: impl fmt::Display, to_do: impl fmt::Display) -> Self {
        let (what, to_do) = (what.to_string(), Some(to_do.to_string()));
        Self { check, level: Level::Warning, what, to_do }
    }

    pub(super) fn problem(check: &'static str, what: impl fmt::Display, to_do: impl fmt::Display) -> Self {
        Self { level: Level::Problem, ..Self::warning(check, what, to_do) }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let level = match self.level {
            Level::Ok => "ok",
            Level::Warning => "warning",
            Level::Problem => "problem",
        };
        write!(f, "{level:7}  {:11}  {}", self.check, self.what)?;
        self.to_do.as_ref().map_or(Ok(()), |to_do| write!(f, ". To do: {to_do}"))
    }
}
