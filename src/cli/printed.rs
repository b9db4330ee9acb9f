//! Files that certctl prints for other programs: completion scripts and schemas.

use clap::ValueEnum;

/// The shells that certctl has a completion script for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Shell {
    /// bash 3.2 or later.
    Bash,
    /// zsh.
    Zsh,
    /// fish.
    Fish,
    /// PowerShell, on Windows and elsewhere.
    #[value(name = "powershell")]
    PowerShell,
    /// Nushell.
    Nushell,
}

/// The schemas that certctl can print.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SchemaOf {
    /// That of users.yaml.
    Roster,
    /// That of a part of it.
    Part,
    /// That of `plan --format json`.
    Plan,
    /// That of `notices --format json`.
    Notices,
    /// That of `apply --format json`.
    Apply,
    /// That of `audit --format json`.
    Audit,
    /// That of `explain --format json`.
    Explain,
    /// That of `import --format json`.
    Import,
    /// That of `import --finish --format json`.
    ImportFinish,
    /// That of `doctor --format json` and `bootstrap --check --format json`.
    Checks,
    /// That of `status --format json`.
    Status,
    /// That of `who --format json`.
    Who,
    /// That of `history --format json`.
    History,
}
