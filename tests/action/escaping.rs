//! The shell and the program hide the same characters: two lists that once differed.

use std::path::Path;
use std::process::Command;

use certctl::error::visible;

#[test]
fn the_shell_leaves_out_what_certctl_shows_as_code_points() {
    let folder = tempfile::tempdir().expect("a folder");
    // Every plane that has characters without a glyph in either list, and their neighbours.
    let all = (1..0x3000).chain(0xf000..0x1_0100).filter_map(char::from_u32);
    let lines: Vec<String> = all.filter(|c| !"\n\t".contains(*c)).map(|c| format!("<{c}>")).collect();
    let shown: Vec<&str> = lines
        .iter()
        .map(String::as_str)
        .map(|line| if visible(line) == *line { line } else { "<>" })
        .collect();
    std::fs::write(folder.path().join("text"), lines.join("\n")).expect("written");
    let library = Path::new(env!("CARGO_MANIFEST_DIR")).join("action/lib.sh");
    let quoted = Command::new("bash")
        .args(["-c", "source \"$1\"; quoted \"$2\" 10000000", "-"])
        .args([&library, &folder.path().join("text")])
        .output()
        .expect("bash runs");
    assert!(quoted.status.success(), "{}", String::from_utf8_lossy(&quoted.stderr));
    let quoted = String::from_utf8(quoted.stdout).expect("UTF-8");
    let quoted: Vec<&str> = quoted.split('\n').filter_map(|line| line.strip_prefix("    ")).collect();
    assert_eq!(quoted.len(), shown.len());
    for (line, (by_shell, by_certctl)) in lines.iter().zip(quoted.into_iter().zip(shown)) {
        assert_eq!(by_shell, by_certctl, "{}", line.escape_unicode());
    }
}
