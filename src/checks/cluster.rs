//! Whether a cluster gives certctl what it needs, and signs what it asks for.

use std::time::Duration;

use jiff::SignedDuration;

use super::{CheckArea, CheckResult, Checks};
use crate::apply::trial;
use crate::cli::Global;
use crate::clock;
use crate::cluster::{self, Connection, HasRight, Probed};
use crate::error::{Error, Result};
use crate::interrupt::Interrupt;
use crate::model::ClusterName;
use crate::plan::{Held, check};
use crate::planning::connect::{self, Reached};
use crate::planning::source::Source;
use crate::render::words;
use crate::rights::manifest::Duty;
use crate::rights::needed::{self, NeededRight, Purpose};
use crate::roster::Cluster;

/// The API groups that certctl calls, all of them in version v1 since Kubernetes 1.28.
const GROUPS: [&str; 5] = [
    "authentication.k8s.io",
    "authorization.k8s.io",
    "certificates.k8s.io",
    "coordination.k8s.io",
    "rbac.authorization.k8s.io",
];

/// How far clocks may be apart.
const CLOCKS_APART: SignedDuration = SignedDuration::from_mins(2);

/// What is asked of a cluster.
pub struct Examination<'a> {
    pub source: &'a Source,
    pub global: &'a Global,
    /// As which of its identities certctl is there.
    pub duty: Duty,
    /// Whether a certificate is asked for, and how long to wait for it.
    pub sign: Option<Duration>,
    pub interrupt: &'a Interrupt,
}

impl Examination<'_> {
    /// All checks of one cluster. One that cannot be reached has only the first.
    pub async fn of(&self, name: &ClusterName, wanted: &Cluster) -> Checks {
        let mut checks = Checks::default();
        let reached = match connect::reach(self.source, self.global, name, wanted).await {
            Ok(reached) => reached,
            Err(error) => {
                checks.fail(CheckArea::Cluster, Some(name), "connection", &error);
                return checks;
            }
        };
        let connection = &reached.connection;
        let version = cluster::version(connection).await;
        let found = version.map(|version| format!("{version} at {}", connection.server()));
        if !checks.judge(CheckArea::Cluster, Some(name), "connection", found) {
            return checks;
        }
        checks.judge(CheckArea::Cluster, Some(name), "cluster", is_that_of_the_records(name, &reached).await);
        checks.judge(CheckArea::Cluster, Some(name), "API groups", groups(connection).await);
        self.rights(name, connection, &mut checks).await;
        match clocks(connection) {
            Ok(()) => checks.ok(CheckArea::Cluster, Some(name), "clock", ""),
            Err(error) => checks.warn(CheckArea::Cluster, Some(name), "clock", &error),
        }
        self.published(name, wanted, &reached, &mut checks).await;
        if let Some(patience) = self.sign {
            let signed = self.signs(wanted, &reached, patience).await;
            checks.judge(CheckArea::Cluster, Some(name), "signer", signed);
        }
        checks
    }

    async fn rights(&self, name: &ClusterName, connection: &Connection, checks: &mut Checks) {
        let roster = &self.source.roster;
        let mut needed = needed::to_plan(&roster.name);
        if self.duty == Duty::Apply {
            needed.extend(needed::to_apply(roster, name));
        }
        let answers = cluster::rights(connection, needed.iter().map(|needed| needed.right.clone())).await;
        for NeededRight { purpose, right } in needed {
            let missing = || {
                Error::new(format!("missing: {}", why(purpose))).hint(format!(
                    "`certctl bootstrap --cluster {name}` prints the RBAC, for an administrator to apply"
                ))
            };
            let (result, error) = match answers.get(&right) {
                None => continue,
                Some(HasRight::Yes) => (CheckResult::Ok, None),
                Some(HasRight::No) if purpose == Purpose::ClientAuthorities => {
                    (CheckResult::Warning, Some(missing()))
                }
                Some(HasRight::No) => (CheckResult::Failed, Some(missing())),
                Some(HasRight::Unknown(cause)) => {
                    let error = Error::new("it could not be asked").caused_by(cause.clone());
                    (CheckResult::Warning, Some(error))
                }
            };
            checks.right(name, &right, result, error.as_ref());
        }
    }

    /// Where kubeconfigs lead, and whether client certificates count there.
    async fn published(&self, name: &ClusterName, wanted: &Cluster, reached: &Reached, checks: &mut Checks) {
        let endpoint = &reached.published.endpoint;
        if let Some(why) = reached.published.refused.clone() {
            let held = Held::Unpublishable { why, at: wanted.position };
            let error = words::held(&self.source.roster.files, name, &held);
            return checks.fail(CheckArea::Cluster, Some(name), "published address", &error);
        }
        match cluster::reach(endpoint, &wanted.route, self.global.request_timeout).await {
            Probed::Works => {
                checks.ok(CheckArea::Cluster, Some(name), "published address", endpoint.server.as_str());
            }
            Probed::Unreachable(error) => {
                checks.warn(CheckArea::Cluster, Some(name), "published address", &error);
            }
            Probed::Refused(error) => {
                checks.fail(CheckArea::Cluster, Some(name), "published address", &error)
            }
        }
        match cluster::client_authorities(&reached.connection).await {
            Ok(_) => checks.ok(
                CheckArea::Cluster,
                Some(name),
                "client certificates",
                "the API server has a client CA",
            ),
            Err(why) => {
                let error = Error::new(format!("whether the API server takes them is not known: {why}"))
                    .hint("`certctl doctor --sign` tries one");
                checks.warn(CheckArea::Cluster, Some(name), "client certificates", &error);
            }
        }
    }

    async fn signs(&self, wanted: &Cluster, reached: &Reached, patience: Duration) -> Result<String> {
        let trial = trial::Trial {
            connection: &reached.connection,
            roster: &self.source.roster.name,
            signer_name: &wanted.signer_name,
            endpoint: &reached.published.endpoint,
            route: &wanted.route,
            timeout: patience,
            now: clock::now,
            interrupt: self.interrupt,
        };
        trial.run().await?;
        Ok(format!("{} signs, and {} takes it", wanted.signer_name, reached.published.endpoint.server))
    }
}

/// Whether it is the cluster that the records are about; by the first apply it becomes that.
async fn is_that_of_the_records(name: &ClusterName, reached: &Reached) -> Result<&'static str> {
    let uid = cluster::uid(&reached.connection).await?;
    let pinned = reached.repository.pinned_uid.as_deref();
    check::identity(pinned, &uid).map_err(|other| words::another_cluster(name, &other))?;
    Ok(if pinned.is_some() { "that of the records" } else { "not applied to yet" })
}

async fn groups(connection: &Connection) -> Result<String> {
    let served = cluster::api_groups(connection).await?;
    let missing: Vec<&str> = GROUPS.into_iter().filter(|group| !served.contains(*group)).collect();
    if missing.is_empty() {
        return Ok(String::new());
    }
    Err(Error::new(format!("not served in version v1: {}", missing.join(", ")))
        .hint("certctl needs Kubernetes 1.28 or later"))
}

fn clocks(connection: &Connection) -> Result<()> {
    let Some(clocks) = connection.clocks() else {
        return Err(Error::new("the API server does not tell the time"));
    };
    match clocks.apart() > CLOCKS_APART {
        true => Err(Error::new(words::clocks(clocks))),
        false => Ok(()),
    }
}

fn why(purpose: Purpose) -> &'static str {
    match purpose {
        Purpose::Read => "nothing can be planned without it",
        Purpose::ClientAuthorities => "a replaced client CA is not noticed without it",
        Purpose::Lock => "two applies are kept apart by it",
        Purpose::CutOff => "nobody can be cut off without it",
        Purpose::Remember => "what is revoked and issued is remembered by it",
        Purpose::Issue => "no certificate is issued without it",
        Purpose::Bind => "nobody is given access without it",
    }
}
