//! `certctl grant` and `certctl revoke-grant`: in the roster, some users come into a group or leave it.

use super::roster_edit::{self, EditDone};
use crate::cli::{Global, GrantArgs, RevokeGrantArgs};
use crate::clock;
use crate::console::terminal::Terminal;
use crate::error::{Error, Result};
use crate::exit_code::DONE;
use crate::model::{GroupName, UserName};
use crate::planning::source::Source;
use crate::roster::edit::{NewMembership, RosterEdit};
use crate::roster::{self, Membership, OnClusters};

pub fn grant(global: &Global, args: &GrantArgs, terminal: &Terminal) -> Result<u8> {
    let now = clock::now();
    let until = args.until.as_ref().map(|text| roster::end(text, now)).transpose();
    let until = until.map_err(|why| Error::usage(format!("--until: {why}")))?;
    let source = roster_edit::open(global, &args.edit)?;
    let group = known_group(&source, &args.group)?;
    let clusters = match global.clusters.as_slice() {
        [] => OnClusters::All,
        clusters => OnClusters::Only(clusters.iter().cloned().collect()),
    };
    let mut users = Vec::new();
    let mut elsewhere = Vec::new();
    for name in roster_edit::on_the_roster(&source, &args.users)? {
        match membership(&source, &name, group) {
            Some(known) if known.until == until && known.clusters == clusters => {
                terminal.say(&format!("{}: {name} is in {group} like that already.", source.file));
            }
            Some(Membership { until: None, .. }) => {
                terminal.say(&format!("{}: {name} is in {group} already, without an end.", source.file));
            }
            Some(known) if until.is_none() || known.clusters != clusters => elsewhere.push(
                Error::new(format!(
                    "{}: {name} is in {group} already, on other clusters or with an end; nothing was changed",
                    source.file
                ))
                .hint(format!(
                    "edit the membership by hand, or run `certctl revoke-grant {name} --group {group}` first"
                )),
            ),
            _ => users.push(name),
        }
    }
    if let Some(error) = Error::all(elsewhere) {
        return Err(error);
    }
    if !users.is_empty() {
        let end = until.map_or(String::new(), |until| format!(" until {until}"));
        let done = format!("granted {group} to {}{end}", roster_edit::named(&users));
        let change = RosterEdit::Grant(NewMembership { group: group.clone(), until, clusters });
        let applied = if until.is_some() { "binds it, and takes it back at that time" } else { "binds it" };
        roster_edit::write(
            global,
            &args.edit,
            &source,
            (&users, &change),
            EditDone { done: &done, applied },
            terminal,
        )?;
    }
    Ok(DONE)
}

pub fn revoke_grant(global: &Global, args: &RevokeGrantArgs, terminal: &Terminal) -> Result<u8> {
    let source = roster_edit::open(global, &args.edit)?;
    let group = known_group(&source, &args.group)?;
    let users = roster_edit::on_the_roster(&source, &args.users)?;
    let (users, others): (Vec<_>, Vec<_>) =
        users.into_iter().partition(|name| membership(&source, name, group).is_some());
    if !others.is_empty() {
        terminal.say(&format!("{}: not in {group}: {}.", source.file, roster_edit::named(&others)));
    }
    let elsewhere = users.iter().filter_map(|name| {
        let user = source.roster.users.get(name)?;
        let at = user.groups.get(group)?.position;
        (at.file != user.position.file).then(|| {
            let place = source.roster.files.place(at);
            Error::new(format!(
                "{place}: another file than {name}'s puts them into {group}; nothing was changed"
            ))
            .hint("delete the membership there")
        })
    });
    if let Some(error) = Error::all(elsewhere) {
        return Err(error);
    }
    if !users.is_empty() {
        let done = format!("revoked {group} from {}", roster_edit::named(&users));
        let edit = EditDone { done: &done, applied: "takes what only that group gave them" };
        let change = RosterEdit::RevokeGrant(group.clone());
        roster_edit::write(global, &args.edit, &source, (&users, &change), edit, terminal)?;
    }
    Ok(DONE)
}

fn membership<'a>(source: &'a Source, user: &UserName, group: &GroupName) -> Option<&'a Membership> {
    source.roster.users.get(user)?.groups.get(group)
}

/// # Errors
/// The roster has no such group.
pub fn known_group<'a>(source: &Source, group: &'a GroupName) -> Result<&'a GroupName> {
    if source.roster.groups.contains_key(group) {
        return Ok(group);
    }
    let known: Vec<&str> = source.roster.groups.keys().map(GroupName::as_str).take(20).collect();
    let error = Error::usage(format!("--group {group}: {} has no such group", source.file));
    Err(if known.is_empty() { error } else { error.hint(format!("it has {}", known.join(", "))) })
}
