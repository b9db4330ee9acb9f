//! Every test that docs/threat-model.md and docs/compatibility.md name exists, and each kind of attack has the case that
//! worked and three of its like.

use std::collections::BTreeSet;
use std::path::Path;

const DOCUMENT: &str = include_str!("../docs/threat-model.md");

/// Of each kind.
const AT_LEAST: usize = 4;

/// The kinds of attacks, each with the tests that its table names, `suite: file::name`.
fn kinds() -> Vec<(&'static str, Vec<&'static str>)> {
    let all = DOCUMENT.split_once("## Attacks that are tests").expect("the attacks").1;
    let all = all.split("\n## ").next().expect("a section");
    let kinds = all.split("\n### ").skip(1);
    let kind = |section: &'static str| {
        let rows = section.lines().filter(|line| line.starts_with('|')).skip(2);
        let last = rows.map(|row| row.trim_end_matches('|').rsplit('|').next().expect("a column"));
        let tests = last.flat_map(|column| column.split('`').skip(1).step_by(2));
        (section.lines().next().expect("a title"), tests.collect())
    };
    kinds.map(kind).collect()
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
fn every_test_that_the_threat_model_names_exists_and_each_kind_has_enough() {
    let kinds = kinds();
    assert!(kinds.len() > 15, "the tables were not read: {kinds:?}");
    let few: Vec<_> = kinds.iter().filter(|(_, tests)| tests.len() < AT_LEAST).collect();
    assert!(few.is_empty(), "{few:#?}");
    let named: Vec<&str> = kinds.into_iter().flat_map(|(_, tests)| tests).collect();
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
