//! An apply as machines read it: stable, versioned, described by `schemas/apply.schema.json`. It is
//! printed however the apply ended.

use schemars::JsonSchema;
use serde::Serialize;

use super::{Ending, Report, done_on, sentence};
use crate::apply::{ClusterOutcome, Failure, Outcome, Phase, Published};
use crate::error::{Error, visible_line};
use crate::model::Holder;
use crate::plan::{ClusterChanges, CredentialAction, UnreadCluster};
use crate::render::json::{self, HeldDocument};
use crate::render::words;
use crate::roster::RosterFileNames;

/// What `certctl apply --format json` prints.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ApplyDocument {
    /// 1. It rises when a field changes its meaning or goes; new fields may come at any time.
    pub format_version: u32,
    /// How it ended.
    pub result: Ending,
    /// A one-sentence summary for people.
    pub summary: String,
    /// `metadata.name` of the roster; absent where it could not be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub roster: Option<String>,
    /// The commit that the roster was read at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub roster_commit: Option<String>,
    /// The digest of the plan, as `certctl plan` prints it; absent where there was none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// By name, also those that could not be read.
    pub clusters: Vec<ClusterReport>,
    /// What became of the records.
    pub records: RecordsReport,
    /// What failed and belongs to no cluster of `clusters`.
    pub errors: Vec<ErrorReport>,
    /// Over all clusters.
    pub counts: Counts,
    /// How long it took, in milliseconds.
    pub milliseconds: Milliseconds,
}

/// One cluster.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ClusterReport {
    /// The roster's name for it.
    pub name: String,
    /// Everyone whose credential was to be issued, renewed, rotated or revoked.
    pub people: Vec<PersonReport>,
    /// The bindings that were written.
    pub bindings: Vec<BindingReport>,
    /// What was held back until its cause is fixed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub held: Vec<HeldDocument>,
    /// Why nothing is known of this cluster, if so: it was not read, or refused. Nothing was done there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// What is worth a look, and failed nothing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// What failed and is nobody's in particular.
    pub errors: Vec<ErrorReport>,
}

/// One person on one cluster.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PersonReport {
    /// The user's name.
    pub user: String,
    /// What was to be done.
    #[schemars(extend("enum" = ["issue", "renew", "rotate", "revoke"]))]
    pub action: &'static str,
    /// The reason, for people; its wording may change at any time.
    pub reason: String,
    /// Why, stable: `new`, `renewal-due`, `generation-raised`, ...
    pub reason_code: &'static str,
    /// What became of it.
    pub outcome: PersonOutcome,
    /// The new credential.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credential: Option<String>,
    /// Until when the new credential is valid, or the revoked one authenticates (RFC 3339).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_after: Option<String>,
    /// The credential that was replaced or revoked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub previous_credential: Option<String>,
    /// What failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<ErrorReport>,
}

/// What became of one person's credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum PersonOutcome {
    /// All of it.
    Done,
    /// Its record has to be merged before it is bound, or an earlier one before it is issued.
    Waiting,
    /// It was issued, and has no rights, or not all: see the errors.
    NotBound,
    /// It should have lost its rights, and a binding that gives them could not be written.
    NotCutOff,
    /// It was not issued.
    Failed,
    /// Nothing was tried: the apply ended before.
    NotTried,
}

/// One binding that was written.
#[derive(Debug, Serialize, JsonSchema)]
pub struct BindingReport {
    /// `RoleBinding` or `ClusterRoleBinding`.
    pub kind: &'static str,
    /// Its name.
    pub name: String,
    /// Its namespace, where it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
}

/// What became of the records.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RecordsReport {
    /// In a word.
    pub state: RecordsState,
    /// The commit that holds them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// The branch that they were to be pushed to; absent with `--no-push`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub branch: Option<String>,
    /// Where a person opens the pull request, where one is needed and the host is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pull_request_page: Option<String>,
    /// How many pushes it took.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pushes: Option<u32>,
    /// What to know about the clone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// Where the records are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RecordsState {
    /// They did not change, or nothing was tried.
    Unchanged,
    /// Committed in this clone, not pushed (`--no-push`).
    Kept,
    /// On the roster's branch.
    Pushed,
    /// On a branch of their own, for someone to merge.
    Proposed,
    /// An earlier proposal has to be merged first.
    Waiting,
    /// Not published: nothing new was bound.
    Failed,
}

/// Something that failed, as it is said on standard error.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ErrorReport {
    /// The place and the fact, and what was not done.
    pub message: String,
    /// Why, outermost first.
    pub causes: Vec<String>,
    /// What to do next.
    pub hints: Vec<String>,
}

/// How much was done.
#[derive(Debug, Default, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Counts {
    /// Credentials for people who had none, bound or waiting.
    pub issued: usize,
    /// Credentials replaced with an overlap, bound or waiting.
    pub renewed: usize,
    /// Credentials replaced, the old one cut off, bound or waiting.
    pub rotated: usize,
    /// Credentials taken away.
    pub revoked: usize,
    /// Bindings written.
    pub bindings: usize,
    /// People whose outcome is `not-bound`, `not-cut-off` or `failed`.
    pub failed: usize,
    /// People whose outcome is `waiting`.
    pub waiting: usize,
}

/// How long it took. A phase with nothing to do is absent.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub struct Milliseconds {
    /// From the start of the program.
    pub total: u64,
    /// Taking subjects out of bindings.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revoke: Option<u64>,
    /// Keys, requests, certificates, sealing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub issue: Option<u64>,
    /// Commit and push.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub record: Option<u64>,
    /// Putting subjects into bindings.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grant: Option<u64>,
}

/// The document, as it is printed.
pub fn text(report: &Report) -> String {
    json::text(&document(report))
}

/// The JSON Schema of [`ApplyDocument`], as it is kept in `schemas/apply.schema.json`.
pub fn schema() -> String {
    let schema = schemars::schema_for!(ApplyDocument);
    serde_json::to_string_pretty(&schema).unwrap_or_default() + "\n"
}

fn document(report: &Report) -> ApplyDocument {
    let plan = report.plan.as_ref();
    let outcome = report.outcome.as_ref();
    let planned = plan.iter().flat_map(|(plan, _)| {
        plan.clusters.iter().map(|changes| {
            let done = outcome.and_then(|outcome| Some((outcome, done_on(changes, outcome)?)));
            cluster(&plan.roster_files, changes, done)
        })
    });
    let unread = plan.iter().flat_map(|(plan, _)| &plan.unread).map(unread);
    let mut clusters: Vec<ClusterReport> = planned.chain(unread).collect();
    clusters.sort_by(|a, b| a.name.cmp(&b.name));
    let published = outcome.and_then(|outcome| outcome.published.as_ref().err());
    ApplyDocument {
        format_version: 1,
        result: report.ending(),
        summary: sentence::sentence(report),
        roster: plan.map(|(plan, _)| plan.roster.to_string()),
        roster_commit: plan.and_then(|(plan, _)| plan.roster_commit.clone()),
        digest: plan.map(|(_, digest)| digest.clone()),
        counts: counts(&clusters),
        clusters,
        records: records(report),
        errors: report
            .errors
            .iter()
            .chain(&report.withheld)
            .chain(published)
            .flat_map(Error::each)
            .map(error)
            .collect(),
        milliseconds: milliseconds(report),
    }
}

fn unread(cluster: &UnreadCluster) -> ClusterReport {
    ClusterReport {
        name: cluster.name.to_string(),
        people: Vec::new(),
        bindings: Vec::new(),
        held: Vec::new(),
        error: Some(cluster.error.clone()),
        warnings: Vec::new(),
        errors: Vec::new(),
    }
}

fn cluster(
    roster: &RosterFileNames,
    plan: &ClusterChanges,
    done: Option<(&Outcome, &ClusterOutcome)>,
) -> ClusterReport {
    let unowned = |failure: &&Failure| {
        failure.user.as_ref().is_none_or(|user| plan.people.iter().all(|action| action.user() != user))
    };
    ClusterReport {
        name: plan.name.to_string(),
        people: plan.people.iter().map(|action| person(action, done)).collect(),
        bindings: (done.iter().flat_map(|(_, done)| &done.bindings))
            .map(|at| BindingReport {
                kind: at.kind(),
                name: at.name.clone(),
                namespace: at.namespace.clone(),
            })
            .collect(),
        held: json::held(roster, &plan.name, &plan.held),
        error: None,
        warnings: done.iter().flat_map(|(_, done)| &done.warnings).map(in_one_line).collect(),
        errors: (done.iter().flat_map(|(_, done)| done.failures.iter().filter(unowned)))
            .flat_map(|failure| failure.error.each())
            .map(error)
            .collect(),
    }
}

/// A fact and its causes.
pub fn in_one_line(error: &Error) -> String {
    let facts = [error.message().to_owned()].into_iter().chain(error.causes());
    visible_line(&facts.collect::<Vec<_>>().join(": "))
}

fn person(action: &CredentialAction, done: Option<(&Outcome, &ClusterOutcome)>) -> PersonReport {
    let new = done.and_then(|(_, done)| done.issued.get(action.user())).map(|issued| &issued.credential);
    let failure = done.and_then(|(_, done)| {
        done.failures.iter().find(|failure| failure.user.as_ref() == Some(action.user()))
    });
    let revoked_until = match action {
        CredentialAction::Revoke { user: _, reason: _, cut_off, protected: _ } => Some(cut_off.not_after),
        CredentialAction::Issue { .. } | CredentialAction::Renew { .. } | CredentialAction::Rotate { .. } => {
            None
        }
    };
    PersonReport {
        user: action.user().to_string(),
        action: action.verb().word(),
        reason: words::why(action),
        reason_code: action.reason().code(),
        outcome: done.map_or(PersonOutcome::NotTried, |(outcome, done)| outcome_of(action, outcome, done)),
        credential: new.map(|new| new.id.to_string()),
        not_after: new.map(|new| new.not_after).or(revoked_until).map(|at| at.to_string()),
        previous_credential: action.previous().map(ToString::to_string),
        error: failure.map(|failure| error(&failure.error)),
    }
}

fn outcome_of(action: &CredentialAction, outcome: &Outcome, done: &ClusterOutcome) -> PersonOutcome {
    let issued = done.issued.contains_key(action.user());
    if action.cut_off().is_some() && done.not_cut_off.contains(&Holder::of(action.user())) {
        return PersonOutcome::NotCutOff;
    }
    match &outcome.published {
        _ if action.new_credential().is_none() => PersonOutcome::Done,
        _ if outcome.held_up => PersonOutcome::Waiting,
        _ if !issued => PersonOutcome::Failed,
        Ok(Published::Proposed(_)) => PersonOutcome::Waiting,
        Err(_) => PersonOutcome::NotBound,
        Ok(_) if done.not_bound.contains(&Holder::of(action.user())) => PersonOutcome::NotBound,
        Ok(_) => PersonOutcome::Done,
    }
}

fn records(report: &Report) -> RecordsReport {
    let mut records = RecordsReport {
        state: RecordsState::Unchanged,
        commit: None,
        branch: report.push.as_ref().map(|target| target.branch().to_owned()),
        pull_request_page: None,
        pushes: None,
        note: None,
    };
    let (state, pushed) = match report.outcome.as_ref().map(|outcome| &outcome.published) {
        None | Some(Ok(Published::Nothing)) => (RecordsState::Unchanged, None),
        Some(Ok(Published::Kept(commit))) => {
            records.commit = Some(commit.id.to_string());
            records.note.clone_from(&commit.note);
            (RecordsState::Kept, None)
        }
        Some(Ok(Published::Pushed(pushed))) => (RecordsState::Pushed, Some(pushed)),
        Some(Ok(Published::Proposed(pushed))) => (RecordsState::Proposed, Some(pushed)),
        Some(Ok(Published::Waits(page))) => {
            records.pull_request_page.clone_from(page);
            (RecordsState::Waiting, None)
        }
        Some(Err(_)) => (RecordsState::Failed, None),
    };
    records.state = state;
    if let Some(pushed) = pushed {
        records.commit = Some(pushed.commit.to_string());
        records.pull_request_page.clone_from(&pushed.page);
        records.pushes = Some(pushed.tries);
        records.note.clone_from(&pushed.note);
    }
    records
}

fn error(error: &Error) -> ErrorReport {
    ErrorReport { message: error.message().to_owned(), causes: error.causes(), hints: error.hints().to_vec() }
}

fn counts(clusters: &[ClusterReport]) -> Counts {
    let mut counts = Counts::default();
    for cluster in clusters {
        counts.bindings += cluster.bindings.len();
        for person in &cluster.people {
            let done = match person.action {
                "issue" => &mut counts.issued,
                "renew" => &mut counts.renewed,
                "rotate" => &mut counts.rotated,
                _ => &mut counts.revoked,
            };
            let counted = person.action == "revoke" || person.credential.is_some();
            match person.outcome {
                PersonOutcome::Done => *done += 1,
                PersonOutcome::Waiting => {
                    *done += usize::from(counted);
                    counts.waiting += 1;
                }
                PersonOutcome::NotBound | PersonOutcome::NotCutOff | PersonOutcome::Failed => {
                    counts.failed += 1
                }
                PersonOutcome::NotTried => {}
            }
        }
    }
    counts
}

fn milliseconds(report: &Report) -> Milliseconds {
    let whole = |took: std::time::Duration| u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
    let mut out = Milliseconds { total: whole(report.took), ..Milliseconds::default() };
    for (phase, took) in report.outcome.iter().flat_map(|outcome| &outcome.took) {
        let of = match phase {
            Phase::Revoke => &mut out.revoke,
            Phase::Issue => &mut out.issue,
            Phase::Record => &mut out.record,
            Phase::Grant => &mut out.grant,
        };
        *of = Some(whole(*took));
    }
    out
}
