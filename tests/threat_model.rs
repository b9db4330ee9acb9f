//! Every test that docs/threat-model.md and docs/compatibility.md name exists.

use std::collections::BTreeSet;
use std::path::Path;

const TABLE: &str = include_str!("../docs/threat-model.md");

/// The tests that the table names, `suite: file::name`.
fn named() -> Vec<&'static str> {
    let section = TABLE.split_once("| attacker |").expect("a table").1;
    let rows = section.lines().skip(2).take_while(|line| line.starts_with('|'));
    let last = rows.map(|row| row.trim_end_matches('|').rsplit('|').next().expect("a column"));
    last.flat_map(|column| column.split('`').skip(1).step_by(2)).collect()
}

/// The file and the function that a name leads to.
fn place(test: &str) -> Option<(String, &str)> {
    let (suite, path) = test.split_once(": ")?;
    let folder = if suite == "unit" { "src".to_owned() } else { format!("tests/{suite}") };
    match path.rsplit_once("::") {
        Some((file, name)) => Some((format!("{folder}/{file}.rs"), name)),
        None => Some((format!("{folder}.rs"), path)),
    }
}

fn exists(test: &str) -> bool {
    let Some((file, name)) = place(test) else { return false };
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap_or_default();
    text.contains(&format!("fn {name}("))
}

#[test]
fn every_test_that_the_threat_model_names_exists() {
    let named = named();
    assert!(named.len() > 50, "the table was not read: {named:?}");
    let missing: Vec<&str> = named.iter().filter(|test| !exists(test)).copied().collect();
    assert!(missing.is_empty(), "{missing:#?}");
    let once: BTreeSet<&str> = named.iter().copied().collect();
    assert_eq!(once.len(), named.len(), "a test stands for one attack");
}

#[test]
fn a_test_that_is_gone_is_noticed() {
    for wrong in ["plan: strays::no_such_test", "plan: nowhere::a", "strays", "unit: pki/request::nothing"] {
        assert!(!exists(wrong), "{wrong}");
    }
}

/// What the tables of docs/compatibility.md name in their last column: functions, files, and rules of the roster.
#[test]
fn every_test_that_the_compatibility_tables_name_exists() {
    let page = include_str!("../docs/compatibility.md");
    let tables = page.split_once("## Systems").expect("a section").0;
    let rows = tables.lines().filter(|line| line.starts_with("| ") && !line.ends_with("| Test |"));
    let last: Vec<&str> =
        rows.map(|row| row.trim_end_matches('|').rsplit('|').next().expect("a column").trim()).collect();
    assert!(last.len() > 25, "the tables were not read: {last:?}");
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let texts: String = ["src", "tests"].iter().map(|folder| sources(&root.join(folder))).collect();
    let exists = |name: &str| match name.split_once('/') {
        Some(_) => root.join(name).exists(),
        None if name.contains('-') => root.join(format!("tests/roster/invalid/{name}.yaml")).exists(),
        None => texts.contains(&format!("fn {name}(")),
    };
    let words = last.iter().flat_map(|column| column.split([' ', ',', ';', '(', ')']));
    let names = words.map(|word| word.trim_matches('`')).filter(|word| word.contains(['_', '/', '-']));
    let missing: Vec<&str> = names.filter(|name| !name.starts_with("lenient-") && !exists(name)).collect();
    assert!(missing.is_empty(), "{missing:#?}");
}

/// The text of every Rust file below a folder.
fn sources(folder: &Path) -> String {
    let entries = std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    let text = |path: std::path::PathBuf| match path.extension() {
        _ if path.is_dir() => sources(&path),
        Some(extension) if extension == "rs" => std::fs::read_to_string(&path).expect("UTF-8"),
        _ => String::new(),
    };
    entries.map(text).collect()
}
