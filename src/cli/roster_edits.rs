//! What edits the roster in one line.

use clap::Args;

use crate::model::{BranchName, GroupName, RepoPath, UserName};

/// What all commands accept that edit the roster.
#[derive(Debug, Args)]
pub struct EditArgs {
    /// Commit the edit to this new branch and push it, instead of editing the working tree
    ///
    /// Starts from the last commit, changes nothing here, and prints where to open the pull request.
    #[arg(long, value_name = "NAME")]
    pub branch: Option<BranchName>,
}

/// `grant`.
#[derive(Debug, Args)]
pub struct GrantArgs {
    /// The users
    #[arg(value_name = "USER", required = true)]
    pub users: Vec<UserName>,
    /// The group
    #[arg(long, value_name = "NAME")]
    pub group: GroupName,
    /// When it ends: in `4h` or `2d`, through a date, or at an RFC 3339 time [default: never]
    #[arg(long, value_name = "WHEN")]
    pub until: Option<String>,
    #[command(flatten)]
    pub edit: EditArgs,
}

/// `revoke-grant`.
#[derive(Debug, Args)]
pub struct RevokeGrantArgs {
    /// The users
    #[arg(value_name = "USER", required = true)]
    pub users: Vec<UserName>,
    /// The group
    #[arg(long, value_name = "NAME")]
    pub group: GroupName,
    #[command(flatten)]
    pub edit: EditArgs,
}

/// `add-user`.
#[derive(Debug, Args)]
pub struct AddUserArgs {
    /// The user's name
    #[arg(value_name = "USER")]
    pub user: UserName,
    /// A public key of theirs: an age recipient, or an SSH key; may be repeated
    #[arg(long = "recipient", value_name = "KEY", required = true)]
    pub recipients: Vec<String>,
    /// A group that they are in; may be repeated
    #[arg(long = "group", value_name = "NAME")]
    pub groups: Vec<GroupName>,
    /// The part of the roster to add them to [default: the roster itself]
    #[arg(long, value_name = "FILE")]
    pub part: Option<RepoPath>,
    /// When all of their access ends: in `4h` or `2d`, through a date, or at an RFC 3339 time
    #[arg(long, value_name = "WHEN")]
    pub until: Option<String>,
    #[command(flatten)]
    pub edit: EditArgs,
}

/// `remove-user`.
#[derive(Debug, Args)]
pub struct RemoveUserArgs {
    /// The users
    #[arg(value_name = "USER", required = true)]
    pub users: Vec<UserName>,
    #[command(flatten)]
    pub edit: EditArgs,
}

/// `rotate`.
#[derive(Debug, Args)]
pub struct RotateArgs {
    /// The users whose credentials to replace
    #[arg(value_name = "USER", required_unless_present = "all", conflicts_with = "all")]
    pub users: Vec<UserName>,
    /// All users
    #[arg(long)]
    pub all: bool,
    #[command(flatten)]
    pub edit: EditArgs,
}

/// `suspend` and `resume`.
#[derive(Debug, Args)]
pub struct SuspendArgs {
    /// The users
    #[arg(value_name = "USER", required = true)]
    pub users: Vec<UserName>,
    #[command(flatten)]
    pub edit: EditArgs,
}
