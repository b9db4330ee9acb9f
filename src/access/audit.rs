//! What is behind the roster's back on one cluster, or gives more than a reviewer may have meant: findings, the worst
//! first by what an attacker gains.
//!
//! It looks at users and groups; ServiceAccounts are the cluster's own, and count where they have full control
//! that a person can come to.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::model::{CLIENT_SIGNER, CredentialGroup, CredentialId, Position, UserName};
use crate::plan::RepositoryState;
use crate::plan::binding_key::Grantee;
use crate::plan::observed::{self, Binding, ClusterState, SeenCluster, SigningRequest, Subject};
use crate::rbac::{
    AUTHENTICATED, Authorizer, Controls, PRIVILEGED, PolicyRule, Power, Reach, Requester, Scope, powers,
};
use crate::record::{Credential, CredentialState};
use crate::roster::{FindingCode, Ignored};

use super::rights::ClusterRoster;

/// The groups that are the whole world, or every program in the cluster.
const EVERYONE: [&str; 4] =
    [AUTHENTICATED, "system:unauthenticated", "system:anonymous", "system:serviceaccounts"];

/// Subjects of the cluster itself, which its own bindings name, by kind.
const OF_THE_CLUSTER: [(&str, &str); 7] = [
    ("Group", PRIVILEGED),
    ("Group", "system:nodes"),
    ("Group", "system:monitoring"),
    ("Group", "system:bootstrappers"),
    ("User", "system:kube-controller-manager"),
    ("User", "system:kube-proxy"),
    ("User", "system:kube-scheduler"),
];

/// The same, by how they begin.
const OF_THE_CLUSTER_BEGIN: [(&str, &str); 4] = [
    ("Group", "system:bootstrappers:"),
    ("Group", "system:serviceaccounts:"),
    ("User", "system:node:"),
    ("User", "system:serviceaccount:"),
];

/// What an attacker gains.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Risk {
    Low,
    Medium,
    High,
    Critical,
}

impl Risk {
    /// The word in texts and in JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Critical => "critical",
            Self::High => "high",
            Self::Medium => "medium",
            Self::Low => "low",
        }
    }
}

/// Something to look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    pub code: FindingCode,
    pub risk: Risk,
    /// Whom it is about: kind and name.
    pub subject: String,
    /// The object that it is about: kind, and name after the namespace.
    pub object: String,
    pub what: What,
    /// Where the roster says something of it.
    pub position: Position,
}

/// What was found, as data; its words are in `render`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// A binding gives rights.
    Rights {
        /// Kind and name of the role.
        role: String,
        /// Where they count; `None` is the whole cluster.
        namespace: Option<String>,
        reach: Option<Reach>,
        powers: BTreeSet<Power>,
    },
    /// A binding of others names a credential of ours.
    Credential { role: String, namespace: Option<String> },
    /// A certificate was approved that is none of ours.
    Certificate { requester: String, name: String, groups: Vec<String> },
    /// A certificate that was revoked still authenticates.
    Revoked {
        until: Timestamp,
        /// Bindings that still give it rights; `None` where the cluster was not read.
        left: Option<BTreeSet<String>>,
    },
    /// What was ignored until then is not any more.
    IgnoreEnded { until: Timestamp },
}

/// The findings that count, and those that the roster ignores.
#[derive(Debug, Default)]
pub struct Audited<'r> {
    pub findings: Vec<Finding>,
    pub ignored: Vec<(Finding, &'r Ignored)>,
}

/// Audits a cluster that was read.
pub fn audit<'r>(
    here: ClusterRoster<'r>,
    repository: &RepositoryState,
    cluster: &SeenCluster,
) -> Audited<'r> {
    let state = &cluster.state;
    let authorizer = Authorizer::new(&state.roles, &state.bindings);
    let controls = Controls::new(&authorizer);
    let known = known(repository, cluster);
    let mut findings = Vec::new();
    for binding in &state.bindings {
        let ours = observed::is_ours(&binding.labels, &here.roster.name);
        let namespace = binding.at.namespace.as_deref();
        let rules = state.roles.rules(namespace, &binding.role_kind, &binding.role_name).unwrap_or_default();
        let weighed = Weighed::new(&controls, rules, namespace);
        match (ours, Grantee::of_binding(&binding.at.name)) {
            (true, Some(grantee)) => {
                findings.extend(granted(here, binding, &grantee, &weighed));
                // What others put into a binding of ours is behind our back all the same.
                let strangers = binding.subjects.iter().filter(|subject| {
                    subject.kind != "Group" || subject.name.parse::<CredentialGroup>().is_err()
                });
                findings.extend(
                    strangers.filter_map(|subject| behind_our_back(here, binding, subject, &weighed, &known)),
                );
            }
            _ => findings.extend(
                binding
                    .subjects
                    .iter()
                    .filter_map(|subject| behind_our_back(here, binding, subject, &weighed, &known)),
            ),
        }
    }
    let requests = state.requests.iter();
    findings
        .extend(requests.filter_map(|request| certificate(here, request, &known, &authorizer, &controls)));
    findings.extend(revoked(here, repository, Some(state)));
    judge(here, findings)
}

/// What records alone tell of a cluster that was not read.
pub fn by_records<'r>(here: ClusterRoster<'r>, repository: &RepositoryState) -> Audited<'r> {
    judge(here, revoked(here, repository, None))
}

/// What a role gives where it is bound.
struct Weighed {
    reach: Option<Reach>,
    powers: BTreeSet<Power>,
    wildcard: bool,
    in_namespace: bool,
}

impl Weighed {
    fn new(controls: &Controls<'_, '_>, rules: &[PolicyRule], namespace: Option<&str>) -> Self {
        Self {
            reach: controls.reach(rules, namespace),
            powers: powers(rules, namespace),
            wildcard: rules.iter().any(PolicyRule::has_wildcard),
            in_namespace: namespace.is_some(),
        }
    }

    /// What of it is worth a word, for rights that a roster does not know.
    fn of_others(&self) -> Option<(FindingCode, Risk)> {
        if let Some(reach) = &self.reach {
            return Some((FindingCode::ForeignFullControl, risk_of(reach)));
        }
        let worst = *self.powers.first()?;
        let risk = self.risk(worst);
        Some(match worst {
            Power::Write if self.wildcard => (FindingCode::ForeignWildcard, risk),
            Power::Write => (FindingCode::ForeignWrite, risk),
            _ => (FindingCode::ForeignPower, risk),
        })
    }

    /// What of it is worth a word, for rights that a roster grants: people are meant to write.
    fn of_roster(&self) -> Option<(FindingCode, Risk)> {
        if let Some(reach) = &self.reach {
            return Some((FindingCode::GrantedFullControl, risk_of(reach)));
        }
        match self.powers.first() {
            Some(power) if *power < Power::WriteBindings && !self.in_namespace => {
                Some((FindingCode::GrantedPower, self.risk(*power)))
            }
            _ if self.wildcard => Some((FindingCode::GrantedWildcard, Risk::Low)),
            _ => None,
        }
    }

    fn risk(&self, power: Power) -> Risk {
        match power {
            Power::ApproveCertificates | Power::ChangeAdmission | Power::UseNodes => Risk::Critical,
            _ if self.in_namespace => Risk::Medium,
            _ => Risk::High,
        }
    }

    fn what(&self, binding: &Binding) -> What {
        What::Rights {
            role: role(binding),
            namespace: binding.at.namespace.clone(),
            reach: self.reach.clone(),
            powers: self.powers.clone(),
        }
    }
}

fn risk_of(reach: &Reach) -> Risk {
    match reach.scope {
        Scope::Cluster => Risk::Critical,
        Scope::Namespace(_) => Risk::High,
    }
}

fn role(binding: &Binding) -> String {
    format!("{} {}", binding.role_kind, binding.role_name)
}

/// The credentials that records or ledger know as ours.
fn known(repository: &RepositoryState, cluster: &SeenCluster) -> BTreeSet<CredentialId> {
    let credentials = repository.records.values().flat_map(|record| &record.credentials);
    let recorded = credentials.map(|credential| credential.id.clone());
    let ledger = cluster.ledger.known().into_iter();
    let remembered = ledger.flat_map(|ledger| ledger.issued.keys().chain(ledger.revoked.keys()).cloned());
    recorded.chain(remembered).collect()
}

/// What the roster itself grants.
fn granted(
    here: ClusterRoster<'_>,
    binding: &Binding,
    grantee: &Grantee,
    weighed: &Weighed,
) -> Option<Finding> {
    let (code, risk) = weighed.of_roster()?;
    let (subject, grants) = match grantee {
        Grantee::Group(group) => {
            (format!("Group {group}"), here.roster.groups.get(group).map(|group| &group.grants))
        }
        Grantee::User(user) => (format!("User {user}"), here.roster.users.get(user).map(|user| &user.grants)),
    };
    let granted = grants.into_iter().flatten().find(|grant| {
        grant.role.kind() == binding.role_kind && grant.role.name().as_str() == binding.role_name
    });
    // The parts of a split binding are one grant.
    let name = binding.at.name.rsplit_once('~').map_or(binding.at.name.as_str(), |(name, _)| name);
    let at = observed::BindingAt { name: name.to_owned(), ..binding.at.clone() };
    Some(Finding {
        code,
        risk,
        subject,
        object: at.to_string(),
        what: weighed.what(binding),
        position: granted.map_or_else(|| of_cluster(here), |grant| grant.position),
    })
}

/// What a binding that the roster does not know gives somebody.
fn behind_our_back(
    here: ClusterRoster<'_>,
    binding: &Binding,
    subject: &Subject,
    weighed: &Weighed,
    known: &BTreeSet<CredentialId>,
) -> Option<Finding> {
    let name = subject.name.as_str();
    if !matches!(subject.kind.as_str(), "User" | "Group") {
        return None;
    }
    let everyone = EVERYONE.contains(&name);
    let kind = subject.kind.as_str();
    let of_cluster_itself = OF_THE_CLUSTER.contains(&(kind, name))
        || OF_THE_CLUSTER_BEGIN.iter().any(|(of, begin)| *of == kind && name.starts_with(begin));
    if of_cluster_itself && !everyone {
        return None;
    }
    let finding = |code, risk, what| Finding {
        code,
        risk,
        subject: format!("{} {name}", subject.kind),
        object: binding.at.to_string(),
        what,
        position: of_cluster(here),
    };
    if let Ok(group) = name.parse::<CredentialGroup>()
        && (known.contains(&group.id) || group.holder.find_in(&here.roster.users).is_some())
    {
        let what = What::Credential { role: role(binding), namespace: binding.at.namespace.clone() };
        let risk = weighed.of_others().map_or(Risk::Medium, |(_, risk)| risk.max(Risk::Medium));
        return Some(finding(FindingCode::ForeignCredential, risk, what));
    }
    let (code, risk) = weighed.of_others()?;
    if everyone {
        return Some(finding(FindingCode::OpenToEveryone, Risk::Critical, weighed.what(binding)));
    }
    Some(finding(code, risk, weighed.what(binding)))
}

/// Whether a request asks for just what an apply asks for: the key alone says nothing, since its owner can write any
/// name and group into another request for it.
fn is_ours(here: ClusterRoster<'_>, request: &SigningRequest, known: &BTreeSet<CredentialId>) -> bool {
    let Some(key) = request.key.as_ref().filter(|key| known.contains(*key)) else { return false };
    let user = request.common_name.as_deref().and_then(|name| name.parse::<UserName>().ok());
    user.is_some_and(|user| {
        let own = CredentialGroup::new(&user, key.clone()).to_string();
        let in_certificates = here.roster.groups.iter().filter(|(_, group)| group.in_certificate);
        let known: BTreeSet<&str> =
            in_certificates.map(|(name, _)| name.as_str()).chain([own.as_str()]).collect();
        request.organizations.iter().all(|organization| known.contains(organization.as_str()))
    })
}

/// A client certificate that somebody else had approved.
fn certificate(
    here: ClusterRoster<'_>,
    request: &SigningRequest,
    known: &BTreeSet<CredentialId>,
    authorizer: &Authorizer<'_>,
    controls: &Controls<'_, '_>,
) -> Option<Finding> {
    let signer = here.roster.clusters.get(here.cluster).map(|cluster| cluster.signer_name.as_str());
    let approved = request.issued || request.conditions.iter().any(|condition| condition == "Approved");
    let client = request.signer_name == CLIENT_SIGNER || Some(request.signer_name.as_str()) == signer;
    if !approved || !client || is_ours(here, request, known) {
        return None;
    }
    let user = request.common_name.clone().unwrap_or_default();
    let groups = request.organizations.clone();
    let requester = Requester { user: user.clone(), groups: groups.clone() };
    let paths = authorizer.paths(&requester);
    let reach = paths
        .iter()
        .filter_map(|path| {
            controls.reach(path.rules.unwrap_or_default(), path.binding.at.namespace.as_deref())
        })
        .min();
    let names_ours = user.parse::<UserName>().is_ok_and(|user| here.roster.users.contains_key(&user))
        || groups.iter().any(|group| group.starts_with(CredentialGroup::PREFIX));
    let risk = match &reach {
        _ if groups.iter().any(|group| group == PRIVILEGED) => Risk::Critical,
        Some(reach) => risk_of(reach),
        None if names_ours || request.key.is_none() => Risk::High,
        None => Risk::Medium,
    };
    Some(Finding {
        code: FindingCode::ForeignCertificate,
        risk,
        subject: format!("User {user}"),
        object: format!("CertificateSigningRequest {}", request.name),
        what: What::Certificate { requester: request.requester.clone(), name: user, groups },
        position: of_cluster(here),
    })
}

/// The certificates that were revoked and still authenticate.
fn revoked(
    here: ClusterRoster<'_>,
    repository: &RepositoryState,
    state: Option<&ClusterState>,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    let by_subject = state.map(by_subject);
    for (user, record) in &repository.records {
        let alive = record.credentials.iter().filter(|credential| {
            credential.state == CredentialState::Revoked && credential.not_after > here.now
        });
        for credential in alive {
            let left = by_subject.as_ref().map(|by_subject| left(by_subject, user, credential));
            let risk =
                if left.as_ref().is_some_and(|left| !left.is_empty()) { Risk::High } else { Risk::Low };
            let position = here.roster.users.get(user).map(|user| user.position);
            findings.push(Finding {
                code: FindingCode::RevokedCertificate,
                risk,
                subject: format!("User {user}"),
                object: format!("credential {}", credential.id),
                what: What::Revoked { until: credential.not_after, left },
                position: position.unwrap_or_else(|| of_cluster(here)),
            });
        }
    }
    findings
}

/// Bindings, by the kind and the name of each subject.
type BySubject<'a> = BTreeMap<(&'a str, &'a str), Vec<&'a Binding>>;

fn by_subject(state: &ClusterState) -> BySubject<'_> {
    let mut by_subject = BySubject::new();
    for binding in &state.bindings {
        for subject in &binding.subjects {
            by_subject.entry((&*subject.kind, &*subject.name)).or_default().push(binding);
        }
    }
    by_subject
}

/// Every binding that still gives a credential rights.
fn left(by_subject: &BySubject<'_>, user: &UserName, credential: &Credential) -> BTreeSet<String> {
    let own = CredentialGroup::new(user, credential.id.clone()).to_string();
    let groups = credential.in_certificate_groups.iter().map(ToString::to_string);
    let groups = groups.chain([own]).map(|group| ("Group", group));
    let subjects = groups.chain([("User", user.to_string())]);
    let bindings =
        subjects.flat_map(|(kind, name)| by_subject.get(&(kind, name.as_str())).cloned().unwrap_or_default());
    bindings.map(|binding| format!("{} ({})", role(binding), binding.at)).collect()
}

/// Where the roster names the cluster.
fn of_cluster(here: ClusterRoster<'_>) -> Position {
    here.roster.clusters.get(here.cluster).map(|cluster| cluster.position).unwrap_or_default()
}

/// Leaves out what the roster ignores, and says what it does not ignore any more.
fn judge<'r>(here: ClusterRoster<'r>, findings: Vec<Finding>) -> Audited<'r> {
    let mut audit = Audited::default();
    let mut seen = BTreeSet::new();
    for finding in findings {
        // The parts of a split binding are found as often as there are.
        if !seen.insert((finding.code, finding.subject.clone(), finding.object.clone())) {
            continue;
        }
        let fits = |ignored: &&Ignored| {
            ignored.code == finding.code
                && ignored.subject == finding.subject
                && ignored.object.as_ref().is_none_or(|object| *object == finding.object)
                && ignored.clusters.includes(here.cluster)
        };
        let entries: Vec<&'r Ignored> = here.roster.ignored.iter().filter(fits).collect();
        if let Some(in_force) = entries.iter().copied().find(|ignored| here.now < ignored.until) {
            audit.ignored.push((finding, in_force));
            continue;
        }
        if let Some(ended) = entries.iter().max_by_key(|ignored| ignored.until) {
            audit.findings.push(Finding {
                code: FindingCode::IgnoreEnded,
                risk: Risk::Low,
                what: What::IgnoreEnded { until: ended.until },
                position: ended.position,
                ..finding.clone()
            });
        }
        audit.findings.push(finding);
    }
    audit.findings.sort_by(|a, b| key(a).cmp(&key(b)));
    audit.ignored.sort_by(|(a, _), (b, _)| key(a).cmp(&key(b)));
    audit
}

fn key(finding: &Finding) -> (Reverse<Risk>, FindingCode, &str, &str) {
    (Reverse(finding.risk), finding.code, &finding.subject, &finding.object)
}
