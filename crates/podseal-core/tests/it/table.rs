//! Reads the tab-separated tables and collects every failing row.

/// The rows of a table as columns, without its heading.
pub(crate) fn rows(table: &str) -> Vec<Vec<&str>> {
    let rows: Vec<Vec<&str>> = table
        .lines()
        .skip(1)
        .map(|line| line.split('\t').collect())
        .collect();
    assert!(!rows.is_empty(), "the table has no rows");
    rows
}

/// A column that holds a JSON string.
pub(crate) fn json_text(column: &str) -> String {
    serde_json::from_str(column).unwrap_or_else(|e| panic!("{column}: {e}"))
}

/// Runs `check` on each row and fails once, with every row that differs.
pub(crate) fn check_rows(table: &str, check: impl Fn(&[&str]) -> Result<(), String>) {
    let failures: Vec<String> = rows(table)
        .iter()
        .filter_map(|row| check(row).err().map(|e| format!("{row:?}: {e}")))
        .collect();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// `Ok` where both are the same.
pub(crate) fn same<T>(found: &T, expected: &T) -> Result<(), String>
where
    T: PartialEq + std::fmt::Debug + ?Sized,
{
    if found == expected {
        Ok(())
    } else {
        Err(format!("found {found:?}, expected {expected:?}"))
    }
}
