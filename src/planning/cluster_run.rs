//! One cluster on its way through a command: what it was planned from, the plan, and the way there.

use jiff::Timestamp;

use super::connect;
use super::source::Source;
use crate::apply::Target;
use crate::error::Result;
use crate::model::ClusterName;
use crate::plan::observed::{Observed, SeenCluster, UnseenCluster};
use crate::plan::safety::Withheld;
use crate::plan::{self, BranchDiff, ClusterChanges, OfflinePlan, RepositoryState, Side, branch_diff};
use crate::roster::Cluster;

/// A cluster that was planned.
pub trait ClusterRun {
    fn name(&self) -> &ClusterName;

    /// What it was planned from.
    fn observed(&self) -> Observed<'_>;

    /// What is planned, to be shown.
    fn changes(&self) -> ClusterChanges;

    /// Leaves out what safety withholds.
    fn withhold(&mut self, withheld: &Withheld);

    /// What is planned with the roster and the records of `head`, from which this was planned, and not
    /// with those of `base`.
    ///
    /// # Errors
    /// The records of the base are not as certctl wrote them.
    fn branch_diff(&self, head: &Source, base: &Source, now: Timestamp) -> Result<BranchDiff>;
}

impl ClusterRun for Target {
    fn name(&self) -> &ClusterName {
        &self.plan.name
    }

    fn observed(&self) -> Observed<'_> {
        Observed::seen(&self.repository, &self.cluster)
    }

    fn changes(&self) -> ClusterChanges {
        (&self.plan).into()
    }

    fn withhold(&mut self, withheld: &Withheld) {
        self.plan.withhold(withheld);
    }

    fn branch_diff(&self, head: &Source, base: &Source, now: Timestamp) -> Result<BranchDiff> {
        let (repository, cluster) = seen_at(base, self)?;
        let observed = Observed::seen(&self.repository, &self.cluster);
        let head = Side { roster: &head.roster, observed };
        let base = Side { roster: &base.roster, observed: Observed::seen(&repository, &cluster) };
        Ok(branch_diff::between(self.name(), head, base, now))
    }
}

/// A cluster that was planned without asking it.
pub struct OfflineRun {
    plan: OfflinePlan,
    repository: RepositoryState,
    cluster: UnseenCluster,
}

impl OfflineRun {
    /// # Errors
    /// Its records do not say which cluster they are about, or its CA cannot be used.
    pub fn plan(source: &Source, name: &ClusterName, wanted: &Cluster, now: Timestamp) -> Result<Self> {
        let repository = source.known(name)?;
        let cluster = connect::unseen(source, wanted, &repository)?;
        let plan = plan::plan_offline(&source.roster, name, &repository, &cluster, now);
        Ok(Self { plan, repository, cluster })
    }
}

impl ClusterRun for OfflineRun {
    fn name(&self) -> &ClusterName {
        &self.plan.name
    }

    fn observed(&self) -> Observed<'_> {
        Observed::unseen(&self.repository, &self.cluster)
    }

    fn changes(&self) -> ClusterChanges {
        (&self.plan).into()
    }

    fn withhold(&mut self, withheld: &Withheld) {
        self.plan.withhold(withheld);
    }

    fn branch_diff(&self, head: &Source, base: &Source, now: Timestamp) -> Result<BranchDiff> {
        let name = self.name();
        let repository = base.known(name)?;
        let cluster = match base.roster.clusters.get(name) {
            Some(wanted) => connect::unseen(base, wanted, &repository)?,
            None => self.cluster.clone(),
        };
        let observed = Observed::unseen(&self.repository, &self.cluster);
        let head = Side { roster: &head.roster, observed };
        let base = Side { roster: &base.roster, observed: Observed::unseen(&repository, &cluster) };
        Ok(branch_diff::between(name, head, base, now))
    }
}

/// The cluster as it is now, and what another commit knows of it. Who brings a wrong key there gets
/// nothing new there.
///
/// # Errors
/// The records there are not as certctl wrote them.
pub fn seen_at(there: &Source, run: &Target) -> Result<(RepositoryState, SeenCluster)> {
    let name = &run.plan.name;
    let repository = there.known(name)?;
    let published = match there.roster.clusters.get(name) {
        Some(wanted) => connect::published(there, wanted, &repository, &run.connection)?,
        None => run.cluster.published.clone(),
    };
    Ok((repository, SeenCluster { published, ..run.cluster.clone() }))
}
