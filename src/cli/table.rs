//! Lists for people: columns under headings.

/// The lines of a list: the headings and the rows, or where there are no rows, `none`.
pub(super) fn lines<const N: usize>(headings: [&str; N], rows: &[[String; N]], none: &str) -> Vec<String> {
    if rows.is_empty() {
        return vec![none.to_owned()];
    }
    let headings = headings.map(str::to_owned);
    let all = || std::iter::once(&headings).chain(rows);
    let mut widths = [0; N];
    for row in all() {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.chars().count().max(*width);
        }
    }
    let line = |row: &[String; N]| {
        let cells = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    all().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_what_is_in_them() {
        let row = |cells: [&str; 3]| cells.map(str::to_owned);
        let rows = [row(["bücher", "owner", "-"]), row(["a", "x", ""])];
        insta::assert_snapshot!(lines(["NAME", "ROLE", "LAST"], &rows, "nobody").join("\n"), @r"
        NAME    ROLE   LAST
        bücher  owner  -
        a       x
        ");
        assert_eq!(lines(["NAME"], &[], "There is nobody."), ["There is nobody."]);
    }
}
