//! More than a hundred rosters, each hostile in a way of its own.

use std::fs;

use age::x25519::Identity;

use crate::bounded::Place;

const HEAD: &str =
    "apiVersion: certctl.dev/v1\nkind: Roster\nmetadata: {name: acme}\nclusters: [{name: prod}]\n";

/// As large as a roster may be; in a debug build, which is slower, less.
const LARGE: usize = if cfg!(debug_assertions) { 128 << 10 } else { 16 << 20 };
/// Of what there are too many.
const MANY: usize = if cfg!(debug_assertions) { 4_000 } else { 50_000 };
/// The error for one full of short lines: in the largest there is more than is read at all.
const TOO_MUCH: &str =
    if cfg!(debug_assertions) { "more errors are not shown" } else { "more than 750000 values" };

/// What is hostile in it, the roster, and certctl's error: `@` stands for `users.yaml:LINE:COLUMN`.
type Case = (&'static str, Vec<u8>, &'static str);

fn filled(before: &str, unit: &str, after: &str) -> Vec<u8> {
    let times = (LARGE - before.len() - after.len()) / unit.len();
    [before, &unit.repeat(times), after].concat().into_bytes()
}

fn numbered(count: usize, line: impl Fn(usize) -> String) -> String {
    (0..count).map(line).collect()
}

/// A roster whose one user is written like this.
fn user(fields: &str) -> Vec<u8> {
    format!("{HEAD}users:\n- {{{fields}}}\n").into_bytes()
}

fn text(text: impl Into<String>) -> Vec<u8> {
    text.into().into_bytes()
}

/// A whole roster of one user, with one thing changed.
fn with(from: &str, to: &str) -> Vec<u8> {
    let good = format!(
        "{HEAD}groups: [{{name: dev}}]\nusers: [{{name: ann, recipients: [RECIPIENT], groups: [dev]}}]\n"
    );
    assert!(good.contains(from), "{from}");
    text(good.replacen(from, to, 1))
}

fn yaml_itself() -> Vec<Case> {
    let bomb = numbered(40, |level| match level {
        0 => "a0: &a0 [x]\n".to_owned(),
        _ => format!("a{level}: &a{level} [{}]\n", format!("*a{},", level - 1).repeat(10)),
    });
    let deep = |open: &str| text(format!("{HEAD}users: {}", open.repeat(100_000)));
    vec![
        (
            "lists in lists",
            deep("["),
            "@: this YAML cannot be read any further: lists and mappings lie more than 32 deep",
        ),
        (
            "mappings in mappings",
            deep("{a: "),
            "@: this YAML cannot be read any further: lists and mappings lie more than 32 deep",
        ),
        (
            "both in turn",
            deep("[{a: "),
            "@: this YAML cannot be read any further: lists and mappings lie more than 32 deep",
        ),
        (
            "dashes",
            text("- ".repeat(100_000)),
            "@: this YAML cannot be read any further: lists and mappings lie more than 32 deep",
        ),
        (
            "question marks",
            filled("", "? ", ""),
            "@: this YAML cannot be read any further: lists and mappings lie more than 32 deep",
        ),
        (
            "stairs",
            text(numbered(2_000, |n| format!("{}a:\n", " ".repeat(n)))),
            "@: this YAML cannot be read",
        ),
        ("one level too deep", text(format!("{HEAD}users: {}{}", "[".repeat(33), "]".repeat(33))), "@: "),
        ("far to the right", text(format!("{HEAD}users:\n{}- a\n", " ".repeat(500_000))), "@: user 1"),
        ("a bomb of aliases", text(bomb), "@: YAML anchors (`&name`) are refused"),
        (
            "many aliases of one list",
            text(format!("a: &a [{}]\nb: [{}]\n", "x,".repeat(10_000), "*a,".repeat(10_000))),
            "@: YAML aliases (`*name`) are refused",
        ),
        ("a list in itself", text("a: &a [*a]\n"), "@: YAML aliases"),
        ("an alias of nothing", with("[dev]", "[*nobody]"), "@: YAML aliases"),
        ("an anchor that nobody uses", with("name: ann", "name: &me ann"), "@: YAML anchors"),
        ("an anchor at a key", with("users:", "&u users:"), "@: YAML anchors"),
        ("an anchor with a long name", text(format!("a: &{} b\n", "x".repeat(500_000))), "@: "),
        ("many anchors", text(numbered(MANY, |n| format!("- &a{n} a\n"))), "more errors are not shown"),
        ("a merge key", with("{name: ann,", "{<<: {protected: true}, name: ann,"), "@: YAML merge keys"),
        (
            "a merge key with aliases",
            text(format!("{HEAD}a: &a {{b: c}}\nusers: [{{<<: [*a, *a]}}]\n")),
            "@: YAML merge keys",
        ),
        ("a tag that runs code elsewhere", text("!!python/object/apply:os.system [id]\n"), "@: "),
        ("binary", with("ann", "!!binary YW5u"), "@: YAML tags"),
        ("a verbatim tag", with("ann", "!<tag:yaml.org,2002:str> ann"), "@: YAML tags"),
        ("a number dressed up as text", with("ann", "!!str 1"), "@: YAML tags"),
        ("a tag at a list", with("[dev]", "!!set {dev}"), "@: YAML tags"),
        (
            "a tag directive",
            text(format!("%TAG ! tag:evil.example,2026:\n---\n{HEAD}")),
            "@: this YAML cannot be read",
        ),
        ("another version of YAML", text(format!("%YAML 1.1\n---\n{HEAD}")), "@: this YAML cannot be read"),
        (
            "a version that there is not",
            text(format!("%YAML 99999999999.9\n---\n{HEAD}")),
            "@: this YAML cannot be read",
        ),
        ("a second document", text(format!("{HEAD}users: []\n---\n{HEAD}")), "@: a second YAML document"),
        ("many documents", filled("", "---\n", ""), "@: a second YAML document"),
        (
            "a document behind its end",
            text(format!("{HEAD}users: []\n...\n- evil\n")),
            "@: a second YAML document",
        ),
        ("nothing", Vec::new(), "@: the file is empty"),
        ("only comments", text("# users:\n"), "@: the file is empty"),
        ("only line breaks", filled("", "\n", ""), "@: the file is empty"),
        ("only a byte order mark", text("\u{feff}"), "@: the file is empty"),
        ("a key twice", text(format!("{HEAD}users: []\nusers: []\n")), "@: the field `users` is set twice"),
        (
            "a key twice, once in quotes",
            with("{name: ann,", "{name: ann, \"name\": bob,"),
            "@: the field `name` is set twice",
        ),
        (
            "a key twice, once with an escape",
            with("{name: ann,", "{name: ann, \"n\\x61me\": bob,"),
            "@: the field `name` is set twice",
        ),
        ("a key very often", filled(HEAD, "kind: Roster\n", ""), TOO_MUCH),
        ("a list as a key", text("? [a]\n: b\n"), "@: a field's name must be text"),
        ("a mapping as a key", text("? {a: b}\n: c\n"), "@: a field's name must be text"),
        ("an empty key", text(": a\n"), "@: the roster has the unknown field"),
        ("an open quote", filled(&format!("{HEAD}users: \""), "a ", ""), "@: this YAML cannot be read"),
        ("an open list", text(format!("{HEAD}users: [{{name: a,\n")), "@: this YAML cannot be read"),
        ("a list closed as a mapping", text(format!("{HEAD}users: [}}\n")), "@: this YAML cannot be read"),
        ("a tab for an indent", text(format!("{HEAD}users:\n\t- {{name: a}}\n")), "@: "),
    ]
}

fn size() -> Vec<Case> {
    let users = |fields: &str| format!("{HEAD}users: [{{name: ann, recipients: [{fields}]}}]\n");
    vec![
        ("larger than a roster may be", vec![b' '; (16 << 20) + 1], "users.yaml could not be read"),
        (
            "one long word",
            filled(&format!("{HEAD}users: "), "a", "\n"),
            "@: `users` of the roster must be a list",
        ),
        (
            "one long word in quotes",
            filled(&format!("{HEAD}users: \""), "a", "\"\n"),
            "@: `users` of the roster must be a list",
        ),
        (
            "one long word of escapes",
            filled(&format!("{HEAD}users: \""), "\\u0041", "\"\n"),
            "@: `users` of the roster must be a list",
        ),
        (
            "a long block",
            filled(&format!("{HEAD}users: |\n"), "  a\n", ""),
            "@: `users` of the roster must be a list",
        ),
        (
            "a long folded block",
            filled(&format!("{HEAD}users: >\n"), "  a\n", ""),
            "@: `users` of the roster must be a list",
        ),
        ("a long key", filled("", "a", ": 1\n"), "@: "),
        ("a long name", user(&format!("name: {}", "a".repeat(500_000))), "characters long; 64 is the limit"),
        (
            "a long line and a fault at its end",
            filled(&format!("{HEAD}#"), "x", "\nusers: [}\n"),
            "@: this YAML cannot be read",
        ),
        ("very many words", filled(&format!("{HEAD}users: ["), "a,", "]\n"), "@: "),
        ("very many empty mappings", filled(&format!("{HEAD}users: ["), "{},", "]\n"), TOO_MUCH),
        (
            "very many unknown fields",
            text(HEAD.to_owned() + &numbered(LARGE / 40, |n| format!("f{n}: 1\n"))),
            TOO_MUCH,
        ),
        ("very many recipients", text(users(&"age1a,".repeat(MANY))), "more errors are not shown"),
        (
            "very many groups that are not there",
            with("[dev]", &format!("[{}]", numbered(MANY, |n| format!("g{n},")))),
            "more errors are not shown",
        ),
        (
            "very many near misses",
            text(format!(
                "{HEAD}groups:\n{}users: [{{name: a, recipients: [age1], groups: [{}]}}]\n",
                numbered(MANY, |n| format!("- name: group-with-a-long-name-{n}\n")),
                numbered(MANY, |n| format!("group-with-a-lung-name-{n},"))
            )),
            "more errors are not shown",
        ),
        (
            "very many namespaces",
            with(
                "{name: dev}",
                &format!(
                    "{{name: dev, grants: [{{clusterRole: view, namespaces: [{}]}}]}}",
                    "shop,".repeat(MANY)
                ),
            ),
            "more errors are not shown",
        ),
        (
            "the same grant very often",
            with("{name: dev}", &format!("{{name: dev, grants: [{}]}}", "{clusterRole: view},".repeat(MANY))),
            "more errors are not shown",
        ),
        (
            "users times clusters",
            text(format!(
                "apiVersion: certctl.dev/v1\nkind: Roster\nmetadata: {{name: a}}\nclusters:\n{}users:\n{}",
                numbered(2_000, |n| format!("- name: c{n}\n")),
                numbered(1_000, |n| format!("- {{name: u{n}, recipients: [age1]}}\n"))
            )),
            "more than 500000 credentials",
        ),
        (
            "a long SSH key",
            text(users(&format!("ssh-rsa {}", "A".repeat(500_000)))),
            "is longer than 8192 characters",
        ),
        ("a long age key", text(users(&format!("age1{}", "q".repeat(8_000)))), "@: recipient of user `ann`"),
    ]
}

fn bytes() -> Vec<Case> {
    let utf16 = |big: bool| -> Vec<u8> {
        let units = "\u{feff}kind: Roster\n".encode_utf16();
        units.flat_map(|unit| if big { unit.to_be_bytes() } else { unit.to_le_bytes() }).collect()
    };
    let inside =
        |bytes: &[u8]| -> Vec<u8> { [HEAD.as_bytes(), b"users: [{name: \"", bytes, b"\"}]\n"].concat() };
    vec![
        ("bytes that are no text", b"\xff\xfe\xfd".to_vec(), "@: not UTF-8 text"),
        ("no UTF-8 in a name", inside(b"ann\xff"), "@: not UTF-8 text"),
        ("an overlong slash", inside(b"..\xc0\xaf"), "@: not UTF-8 text"),
        ("half of a surrogate pair", inside(b"\xed\xa0\x80"), "@: not UTF-8 text"),
        ("beyond Unicode", inside(b"\xf4\x90\x80\x80"), "@: not UTF-8 text"),
        ("cut off in a character", [HEAD.as_bytes(), b"# \xe2\x82"].concat(), "@: not UTF-8 text"),
        ("Latin-1", inside(b"Andr\xe9"), "@: not UTF-8 text"),
        ("UTF-16", utf16(false), "@: not UTF-8 text"),
        ("UTF-16, the other way around", utf16(true), "@: not UTF-8 text"),
        (
            "UTF-32",
            "kind: a".chars().flat_map(|c| u32::from(c).to_le_bytes()).collect(),
            "@: the character U+0000 is refused",
        ),
        ("zeros", vec![0; 100_000], "@: the character U+0000 is refused"),
        (
            "two byte order marks",
            text(format!("\u{feff}\u{feff}{HEAD}")),
            "@: the character U+FEFF is refused",
        ),
        (
            "a byte order mark inside",
            text(format!("{HEAD}\u{feff}users: []\n")),
            "@: the character U+FEFF is refused",
        ),
        ("a byte order mark in a name", inside("an\u{feff}n".as_bytes()), "U+FEFF"),
        ("an escape sequence", inside(b"ann\x1b[2J"), "@: the character U+001B is refused"),
        (
            "an escape sequence in a comment",
            text(format!("{HEAD}# \u{1b}]0;owned\u{7}\n")),
            "@: the character U+001B is refused",
        ),
        ("an escape sequence, escaped", inside(b"ann\\e[2J\\e[1;1H"), "@: user name"),
        (
            "an escape sequence in a field's name",
            text(format!("{HEAD}\"\\e[8mx\": 1\n")),
            "has the unknown field `\\u{1b}[8mx`",
        ),
        ("a zero, escaped", inside(b"ann\\0"), "@: user name"),
        ("a C1 control", inside("ann\u{9b}2J".as_bytes()), "@: the character U+009B is refused"),
        ("a C1 control, escaped", inside(b"ann\\x9b2J"), "@: user name"),
        ("backspaces", inside(b"ann\x08\x08\x08bob"), "@: the character U+0008 is refused"),
        ("a line break in a name", inside(b"ann\\nError: all is well"), "@: user name"),
        (
            "a carriage return that hides a line",
            text(format!("{HEAD}# nothing\rusers: []\n")),
            "@: the character U+000D is refused",
        ),
        (
            "text that runs backwards",
            inside("ann\u{202e}nna".as_bytes()),
            "@: the character U+202E is refused",
        ),
        ("text that runs backwards, escaped", inside(b"ann\\u202enna"), "@: user name"),
        ("an isolate", inside("ann\u{2066}bob\u{2069}".as_bytes()), "@: the character U+2066 is refused"),
        (
            "a line separator",
            text(format!("{HEAD}# a\u{2028}users: []\n")),
            "@: the character U+2028 is refused",
        ),
        ("a joiner of no width", inside("an\u{200d}n".as_bytes()), "U+200D"),
        ("a soft hyphen", inside("an\u{ad}n".as_bytes()), "U+00AD"),
        ("tags that nobody sees", inside("ann\u{e0041}".as_bytes()), "U+E0041"),
    ]
}

fn names() -> Vec<Case> {
    let named = |name: &str| with("name: ann", &format!("name: {name}"));
    vec![
        ("a Cyrillic a", named("\u{430}nn"), "U+0430"),
        ("a Greek o", named("b\u{3bf}b"), "U+03BF"),
        ("a wide a", named("\u{ff41}nn"), "U+FF41"),
        ("an i without its dot", named("\u{131}da"), "U+0131"),
        ("an accent of its own", named("e\u{301}ve"), "U+0301"),
        (
            "two people that look the same",
            text(format!(
                "{HEAD}users: [{{name: ann, recipients: [RECIPIENT]}}, {{name: \u{430}nn, recipients: [RECIPIENT]}}]\n"
            )),
            "U+0430",
        ),
        ("a plus at the edge", named("+ann"), "@: user name"),
        ("a look-alike group", with("groups: [dev]", "groups: [d\u{435}v]"), "@: "),
        (
            "a look-alike field",
            text(format!("{HEAD}u\u{455}ers: []\n")),
            "@: the roster has the unknown field",
        ),
        ("a look-alike reserved name", named("s\u{443}stem:admin"), "U+0443"),
        ("a reserved user", named("\"system:admin\""), "begins with `system:`"),
        ("a reserved group", with("{name: dev}", "{name: \"system:masters\"}"), "begins with `system:`"),
        (
            "kubeadm's administrators",
            with("{name: dev}", "{name: \"kubeadm:cluster-admins\"}"),
            "begins with `kubeadm:cluster-admins`",
        ),
        ("a credential group", named("\"certctl:bob:3f2a91bc4d5e6f70\""), "begins with `certctl:`"),
        ("the name of the pin", named("cluster"), "is reserved"),
        (
            "the same user twice",
            text(format!(
                "{HEAD}users:\n- {{name: ann, recipients: [RECIPIENT]}}\n- {{name: ann, recipients: [RECIPIENT]}}\n"
            )),
            "@: user: `ann` is listed twice, first at ",
        ),
        (
            "the same cluster twice",
            text(HEAD.replace("{name: prod}", "{name: prod}, {name: prod}")),
            "@: cluster: `prod` is listed twice, first at ",
        ),
        (
            "a role with a slash",
            with("{name: dev}", "{name: dev, grants: [{clusterRole: ../admin}]}"),
            "is no role name",
        ),
        (
            "a role named like a binding of ours",
            with("{name: dev}", "{name: dev, grants: [{clusterRole: role=x}]}"),
            "begins with `role=`",
        ),
        (
            "a namespace that is a path",
            with("{name: dev}", "{name: dev, grants: [{clusterRole: view, namespaces: [../kube-system]}]}"),
            "is no namespace name",
        ),
    ]
}

fn paths() -> Vec<Case> {
    let csr = |path: &str| with("name: ann,", &format!("name: ann, csr: {path},"));
    vec![
        ("a csr above the repository", csr("../../etc/passwd"), "leaves the repository"),
        ("a csr at the root", csr("/etc/passwd"), "leaves the repository"),
        ("a csr that goes down and up", csr("a/../../b"), "leaves the repository"),
        ("a csr in git's own folder", csr(".git/config"), "`.git` part"),
        ("a csr in git's own folder, in capitals", csr("a/.GIT/config"), "`.git` part"),
        ("a csr with backslashes", csr("..\\\\..\\\\secret"), "visible ASCII"),
        ("a csr with a zero", csr("\"a\\0b\""), "visible ASCII"),
        ("a csr with a line break", csr("\"a\\nb\""), "visible ASCII"),
        ("a csr on another drive", csr("\"c:secret\""), "visible ASCII"),
        (
            "a csr that looks encoded",
            csr("\"%2e%2e/secret\""),
            "@: %2e%2e/secret, user `ann`'s csr, could not be read",
        ),
        ("a csr that is not there", csr("csrs/ann.csr"), "could not be read"),
        ("a csr that is a link", csr("link"), "is a symbolic link"),
        ("a csr behind a link", csr("links/passwd"), "is a symbolic link"),
        ("a csr that is a folder", csr("folder"), "it is not a regular file"),
        ("a csr that is a pipe", csr("pipe"), "it is not a regular file"),
        ("a csr that is large", csr("large"), "it is longer than"),
        ("a csr that is a private key", csr("key.pem"), "a PRIVATE key stands where"),
        (
            "a csr of very many blocks",
            csr("blocks"),
            "blocks: the certificate signing request cannot be read",
        ),
        ("a csr of very many open blocks", csr("open-blocks"), "open-blocks: a PEM block has no END line"),
        ("a csr that is noise", csr("noise"), "cannot be read"),
        (
            "a CA above the repository",
            with("{name: prod}", "{name: prod, certificateAuthority: ../ca.crt}"),
            "leaves the repository",
        ),
        ("a user that is a path", with("name: ann", "name: ../../ann"), "@: user name"),
        ("a cluster that is a path", with("{name: prod}", "{name: ../..}"), "@: cluster name"),
        ("a cluster that is a dot", with("{name: prod}", "{name: \".\"}"), "@: cluster name"),
        (
            "a server that is not asked in secret",
            with("{name: prod}", "{name: prod, server: \"http://prod.example.com\"}"),
            "does not begin with https://",
        ),
        (
            "a server with a password",
            with("{name: prod}", "{name: prod, server: \"https://bob:hunter2@prod.example.com\"}"),
            "[user and password]",
        ),
        (
            "a server with a line break",
            with("{name: prod}", "{name: prod, server: \"https://prod.example.com\\n- evil\"}"),
            "visible ASCII",
        ),
        (
            "a context that steers a terminal",
            with("{name: prod}", "{name: prod, context: \"a\\e[2J\"}"),
            "@: ",
        ),
        (
            "a pasted private key",
            with("RECIPIENT", "AGE-SECRET-KEY-1QQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQ"),
            "[a secret key]",
        ),
        ("a post-quantum recipient", with("RECIPIENT", "age1pq1qqqq"), "@: recipient of user `ann`"),
        (
            "a recipient on the web",
            with("RECIPIENT", "\"https://github.com/ann.keys\""),
            "@: recipient of user `ann`",
        ),
        (
            "a recipient with a line break",
            with("RECIPIENT", "\"age1a\\nage1b\""),
            "@: recipient of user `ann`",
        ),
    ]
}

fn types() -> Vec<Case> {
    let ann = |field: &str| with("name: ann,", &format!("name: ann, {field},"));
    let revoked = |most: &str| text(format!("{HEAD}safety: {{maxRevocations: {most}}}\n"));
    vec![
        ("a word", text("roster\n"), "@: the roster must be a mapping"),
        ("a list", text("- apiVersion: certctl.dev/v1\n"), "@: the roster must be a mapping"),
        ("another kind", text(HEAD.replace("Roster", "Secret")), "@: `kind` of the roster must be `Roster`"),
        (
            "another version",
            text(HEAD.replace("/v1", "/v2")),
            "@: `certctl.dev/v2` is the format of a newer certctl",
        ),
        (
            "clusters as a mapping",
            text(HEAD.replace("[{name: prod}]", "{prod: {}}")),
            "@: `clusters` must be a list",
        ),
        ("no clusters", text(HEAD.replace("[{name: prod}]", "[]")), "@: the roster has no cluster"),
        (
            "users as a word",
            text(format!("{HEAD}users: everyone\n")),
            "@: `users` of the roster must be a list",
        ),
        ("a user as a word", text(format!("{HEAD}users: [ann]\n")), "@: user 1"),
        ("a name as a number", with("name: ann", "name: 1"), "must be text, not a number"),
        ("a name as a boolean", with("name: ann", "name: true"), "must be text, not a boolean"),
        ("a name as nothing", with("name: ann", "name: ~"), "has no value"),
        ("a name as a list", with("name: ann", "name: [ann]"), "must be text, not a list"),
        ("Norway", with("name: ann", "name: no"), "some YAML readers take for a boolean"),
        ("a name in exponents", with("name: ann", "name: 1e3"), "must be text, not a number"),
        ("recipients as a mapping", with("[RECIPIENT]", "{a: b}"), "must be a list, not a mapping"),
        ("recipients in recipients", with("[RECIPIENT]", "[[RECIPIENT]]"), "must be text, not a list"),
        ("no recipients", with("[RECIPIENT]", "[]"), "@: user `ann`"),
        ("half a generation", ann("generation: 1.5"), "must be a whole number"),
        ("no generation", ann("generation: 0"), "must be a whole number"),
        ("a generation below zero", ann("generation: -1"), "must be a whole number"),
        ("a generation past 32 bits", ann("generation: 4294967296"), "must be a whole number"),
        ("a generation past 64 bits", ann("generation: 18446744073709551617"), "must be a whole number"),
        ("a generation in exponents", ann("generation: 1e999"), "must be a whole number"),
        ("a generation in hex", ann("generation: 0xffffffffffffffff"), "must be a whole number"),
        ("no number as a generation", ann("generation: .nan"), "must be a whole number"),
        (
            "a very long generation",
            ann(&format!("generation: {}", "9".repeat(100_000))),
            "must be a whole number",
        ),
        ("a validity past 64 bits", ann("validity: 99999999999999999999d"), "is longer than 3650d"),
        (
            "a validity whose sum is past 64 bits",
            ann("validity: 9223372036854775807w9223372036854775807w"),
            "is longer than 3650d",
        ),
        ("no validity", ann("validity: 0m"), "is shorter than 10m"),
        ("a validity below zero", ann("validity: -1d"), "is no duration"),
        ("a percentage past all", revoked("101%"), "is neither a percentage"),
        ("a percentage past 32 bits", revoked("4294967297%"), "is neither a percentage"),
        ("a count past 32 bits", revoked("4294967296"), "is neither a percentage"),
        ("a count that is infinite", revoked(".inf"), "is neither a percentage"),
        ("protected by a word", ann("protected: yes"), "must be true or false"),
        ("a day that there is not", ann("until: 2026-02-30"), "is not in the calendar"),
        ("month 13", ann("until: 2026-13-01"), "is not in the calendar"),
        ("year 0", ann("until: 0000-00-00"), "is not in the calendar"),
        ("the last year", ann("until: 9999-12-31"), "is too far away"),
        ("past the last year", ann("until: 99999-01-01"), "is neither a date"),
        ("before the first", ann("until: -0001-01-01"), "is neither a date"),
        ("hour 25", ann("until: \"2026-01-01T25:00:00Z\""), "is not in the calendar"),
        ("an offset past the clock", ann("until: \"2026-01-01T00:00:00+99:99\""), "is not in the calendar"),
        ("a time without a zone", ann("until: \"2026-01-01T00:00:00\""), "is neither a date"),
        (
            "a time of many digits",
            ann(&format!("until: \"2026-01-01T00:00:00.{}Z\"", "0".repeat(100_000))),
            "is neither a date",
        ),
    ]
}

/// Whether the text contains `users.yaml:LINE:COLUMN: ` and what follows it.
fn says(said: &str, wanted: &str) -> bool {
    let Some(wanted) = wanted.strip_prefix("@: ") else { return said.contains(wanted) };
    said.split("users.yaml:").skip(1).any(|rest| {
        let mut parts = rest.splitn(3, ':');
        let number = |part: Option<&str>| part.is_some_and(|part| part.parse::<u64>().is_ok_and(|n| n > 0));
        number(parts.next())
            && number(parts.next())
            && parts.next().is_some_and(|fact| fact.trim_start().starts_with(wanted))
    })
}

#[test]
fn a_hundred_hostile_rosters_are_each_refused_for_their_own_reason() {
    let recipient = Identity::generate().to_public().to_string();
    let place = Place::new();
    // What some of them lead to.
    let of_the_system = place.path("secret");
    fs::write(&of_the_system, "root:x:0:0\n").expect("written");
    std::os::unix::fs::symlink(&of_the_system, place.path("link")).expect("linked");
    std::os::unix::fs::symlink("/etc", place.path("links")).expect("linked");
    fs::create_dir(place.path("folder")).expect("a folder");
    let pipe = std::process::Command::new("mkfifo").arg(place.path("pipe")).status().expect("mkfifo");
    assert!(pipe.success());
    place.write("large", &vec![b'x'; 300 * 1024]);
    place.write("key.pem", b"-----BEGIN PRIVATE KEY-----\nAAEC\n-----END PRIVATE KEY-----\n");
    let blocks = |unit: &str| unit.repeat(64 * 1024 / unit.len()).into_bytes();
    place.write("blocks", &blocks("-----BEGIN A-----\n-----END A-----\n"));
    place.write("open-blocks", &blocks("-----BEGIN A-----\n"));
    place.write("noise", &numbered(5_000, |n| n.to_string()).into_bytes());

    let cases = [yaml_itself(), size(), bytes(), names(), paths(), types()].concat();
    assert!(cases.len() >= 100, "{} rosters", cases.len());
    let mut wrong = Vec::new();
    for (what, roster, wanted) in &cases {
        let marker = b"RECIPIENT";
        let roster = match roster.windows(marker.len()).any(|window| window == marker) {
            true => String::from_utf8_lossy(roster).replace("RECIPIENT", &recipient).into_bytes(),
            false => roster.clone(),
        };
        place.write("users.yaml", &roster);
        match place.refused() {
            Ok(said) if said.contains("root:x") => wrong.push(format!("{what}: it repeats another file")),
            Ok(said) if says(&said, wanted) => {}
            Ok(said) => wrong.push(format!("{what}: `{wanted}` was not said:\n{said}")),
            Err(why) => wrong.push(format!("{what}: {why}")),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The file in the roster's place is checked before it is opened.
#[test]
fn a_roster_that_is_not_a_file_is_refused() {
    let place = Place::new();
    let roster = place.path("users.yaml");
    let cause = |what: &str, wanted: &str| {
        let said = place.refused().unwrap_or_else(|why| panic!("{what}: {why}"));
        assert!(said.contains("users.yaml could not be read") && said.contains(wanted), "{what}:\n{said}");
    };
    cause("nothing at all", "No such file");
    fs::create_dir(&roster).expect("a folder");
    cause("a folder", "not a regular file");
    fs::remove_dir(&roster).expect("removed");
    std::os::unix::fs::symlink("/dev/zero", &roster).expect("linked");
    cause("a link to endless zeros", "symbolic link");
    fs::remove_file(&roster).expect("removed");
    let pipe = std::process::Command::new("mkfifo").arg(&roster).status().expect("mkfifo");
    assert!(pipe.success());
    cause("a pipe that nobody writes into", "not a regular file");
    fs::remove_file(&roster).expect("removed");
    // Holes take no space, and would be read as zeros.
    fs::File::create(&roster).and_then(|file| file.set_len(1 << 40)).expect("a file of holes");
    cause("a file of a terabyte", "longer than");
}
