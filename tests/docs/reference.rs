//! The two pages that are made of the program itself: docs/commands.md of its command line, docs/roster.md of the
//! roster's schema. `UPDATE_EXPECT=1 cargo test --test docs` writes them anew.

use std::fmt::Write as _;

use certctl::cli::Cli;
use clap::{Arg, Command, CommandFactory as _, Parser as _};
use expect_test::expect_file;
use serde_json::Value;

use super::blocks::blocks;

pub fn the_commands_are_those_of_the_program() {
    expect_file!["../../docs/commands.md"].assert_eq(&commands());
}

pub fn the_roster_reference_is_that_of_the_schema() {
    expect_file!["../../docs/roster.md"].assert_eq(&roster());
}

/// Each command reads the roster, a cluster and files of somebody, and so they do not run one after the other as the
/// blocks of other pages do; but each is one that certctl takes.
pub fn every_example_is_a_command_line() {
    let mut taken = 0;
    for block in blocks("docs/commands.md", &commands()).iter().filter(|block| block.language == "console") {
        let line = block.text.replace("\\\n", " ");
        for command in line.lines().flat_map(|line| line.split("&&")).flat_map(|line| line.split(" | ")) {
            if !command.trim_start().starts_with("certctl ") {
                continue;
            }
            if let Err(error) = Cli::try_parse_from(words(command)) {
                panic!("`{command}`: {error}");
            }
            taken += 1;
        }
    }
    eprintln!("{taken} examples of docs/commands.md are command lines");
    assert!(taken > 0);
}

/// The words of a simple command, up to a redirection or a comment, as a shell splits them.
fn words(command: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut rest = command.trim();
    while !rest.is_empty() && !rest.starts_with(['>', '#']) {
        let (word, after) = match rest.strip_prefix('\'') {
            Some(quoted) => quoted.split_once('\'').expect("the quote ends"),
            None => rest.split_once(' ').unwrap_or((rest, "")),
        };
        words.push(word.to_owned());
        rest = after.trim_start();
    }
    words
}

fn commands() -> String {
    let mut certctl = Cli::command();
    certctl.build();
    let shown: Vec<&Command> = (certctl.get_subcommands())
        .filter(|command| !command.is_hide_set() && command.get_name() != "help")
        .collect();
    let mut page =
        "# Commands\n\nMade of `certctl --help` by a test. `certctl man` has the same as manual pages.\n\n\
                    | command | what it does |\n|---|---|\n"
            .to_owned();
    for command in &shown {
        let (name, about) = (command.get_name(), text(command.get_about()));
        let _ = writeln!(page, "| [`certctl {name}`](#certctl-{name}) | {} |", cell(&about));
    }
    page += "\n## Global options\n\nEvery command takes them.\n\n";
    options(&mut page, certctl.get_arguments().filter(|arg| arg.is_global_set()));
    let exit_codes = text(certctl.get_after_help());
    let _ = writeln!(page, "\n{exit_codes}");
    for command in shown {
        let mut usage = command.clone();
        let usage = usage.render_usage().to_string();
        let _ = writeln!(page, "\n## certctl {}\n", command.get_name());
        let about = text(command.get_long_about().or(command.get_about()));
        let _ = writeln!(page, "{about}\n\n```text\n{}\n```", usage.trim_start_matches("Usage: "));
        let own: Vec<&Arg> = (command.get_arguments())
            .filter(|arg| !arg.is_global_set() && !arg.is_hide_set() && arg.get_id() != "help")
            .collect();
        if !own.is_empty() {
            page.push('\n');
            options(&mut page, own.into_iter());
        }
        if let Some(example) = command.get_after_help() {
            let example = example.to_string();
            let lines = example.trim_start_matches("Examples:").trim_start_matches("Example:").trim();
            let lines: String = lines.lines().map(|line| format!("{}\n", line.trim())).collect();
            let _ = writeln!(page, "\n```console\n{lines}```");
        }
    }
    page
}

fn options<'a>(page: &mut String, arguments: impl Iterator<Item = &'a Arg>) {
    page.push_str("| option | meaning |\n|---|---|\n");
    for argument in arguments {
        let value = argument.get_value_names().unwrap_or_default().iter().map(|name| name.as_str());
        let value = match argument.get_action().takes_values() {
            true => value.collect::<Vec<_>>().join(" "),
            false => String::new(),
        };
        let name = match (argument.get_short(), argument.get_long()) {
            (Some(short), Some(long)) => format!("-{short}, --{long} {value}"),
            (None, Some(long)) => format!("--{long} {value}"),
            _ => value,
        };
        let mut meaning = text(argument.get_long_help().or(argument.get_help()));
        let values = argument.get_possible_values();
        if argument.get_action().takes_values()
            && !argument.is_hide_possible_values_set()
            && !values.is_empty()
        {
            let values: Vec<String> = values.iter().map(|value| format!("`{}`", value.get_name())).collect();
            let _ = write!(meaning, ". One of {}", values.join(", "));
        }
        let defaults = argument.get_default_values();
        if !defaults.is_empty() && argument.get_action().takes_values() {
            let defaults: Vec<String> =
                defaults.iter().map(|value| value.to_string_lossy().into_owned()).collect();
            let _ = write!(meaning, " [default: {}]", defaults.join(", "));
        }
        let _ = writeln!(page, "| `{}` | {} |", name.trim(), cell(&meaning));
    }
}

fn text(help: Option<&clap::builder::StyledStr>) -> String {
    help.map(ToString::to_string).unwrap_or_default().trim().to_owned()
}

/// One line, as a cell of a table.
fn cell(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    line.replace('|', "\\|").replace('<', "&lt;")
}

fn roster() -> String {
    let schema: Value = serde_json::from_str(include_str!("../../schemas/users.schema.json")).expect("JSON");
    let mut page = "# The roster, field by field\n\nMade of [the schema](../schemas/users.schema.json) by a test. \
                    [An example with every field](../examples/users.yaml); `certctl validate` checks a roster and names \
                    each error with its line.\n\n## Roster\n\n"
        .to_owned();
    object(&mut page, &schema);
    let definitions = schema["$defs"].as_object().expect("definitions");
    for (name, definition) in definitions.iter().filter(|(_, one)| one.get("properties").is_some()) {
        let _ = writeln!(page, "\n## {name}\n");
        object(&mut page, definition);
    }
    page
}

fn object(page: &mut String, schema: &Value) {
    if let Some(about) = schema["description"].as_str() {
        let _ = writeln!(page, "{}\n", about.split_whitespace().collect::<Vec<_>>().join(" "));
    }
    page.push_str("| field | type | meaning |\n|---|---|---|\n");
    let required: Vec<&str> =
        schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        let needed = if required.contains(&name.as_str()) { " (required)" } else { "" };
        let meaning = cell(field["description"].as_str().unwrap_or_default());
        let example = match field["examples"].as_array().and_then(|examples| examples.first()) {
            Some(Value::String(example)) => format!(" Example: `{example}`."),
            _ => String::new(),
        };
        let _ = writeln!(page, "| `{name}`{needed} | {} | {meaning}{example} |", type_of(field));
    }
}

/// What may be written there: a link to what has fields of its own, else words.
fn type_of(field: &Value) -> String {
    if let Some(reference) = field["$ref"].as_str() {
        return named(reference);
    }
    if let Some(constant) = field["const"].as_str() {
        return format!("`{constant}`");
    }
    let alternatives = field["anyOf"].as_array().or(field["oneOf"].as_array());
    if let Some(alternatives) = alternatives {
        return alternatives.iter().map(type_of).collect::<Vec<_>>().join(" or ");
    }
    match field["type"].as_str() {
        Some("array") => format!("list of {}", type_of(&field["items"])),
        Some(kind) => kind.to_owned(),
        None => "any".to_owned(),
    }
}

fn named(reference: &str) -> String {
    let name = reference.rsplit('/').next().unwrap_or_default();
    let schema: Value = serde_json::from_str(include_str!("../../schemas/users.schema.json")).expect("JSON");
    let definition = &schema["$defs"][name];
    if definition.get("properties").is_some() {
        return format!("[{name}](#{})", name.to_lowercase());
    }
    match definition["oneOf"].as_array().or(definition["anyOf"].as_array()) {
        Some(alternatives) => alternatives.iter().map(type_of).collect::<Vec<_>>().join(" or "),
        None => type_of(definition),
    }
}
