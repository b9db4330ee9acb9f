//! One cluster's part in an apply: its bindings, its ledger and its certificates, each with what follows a
//! conflict, a lost reply or a failure. In which order the parts come, the machine decides.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use jiff::Timestamp;

use super::binding_write::{BindingEnd, BindingStep, BindingWrite, Goal, SincePlanned};
use super::cluster_outcome::{ClusterOutcome, Failure, Made};
use super::effects::{Effect, Order};
use super::ledger_write::{self, Additions, LedgerStep, LedgerWrite};
use super::policy::{Notes, Probe};
use super::record_changes::ClusterWork;
use super::take_out::{TakeOut, TakeOutStep};
use crate::error::{Error, Result};
use crate::ledger::{Removal, RemovedBy};
use crate::model::{CredentialGroup, RosterName, UserName};
use crate::plan::emergency::credentials;
use crate::plan::observed::{Binding, BindingAt, SeenLedger};
use crate::plan::{BindingAction, Cleanup, Issuance};

/// How many bindings of a cluster are written at once; each is one small request.
const BINDINGS_AT_ONCE: usize = 8;

/// What a task is about.
#[derive(Debug)]
pub(super) enum Job<'p> {
    Binding(usize, BindingWrite<'p>),
    TakeOut(usize, TakeOut<'p>),
    Ledger(usize, Box<LedgerWrite>),
    Cluster(usize),
    Request(usize),
    Issue(usize, &'p UserName, bool),
    Publish,
    Verify(usize),
}

/// One cluster on its way through an apply.
#[derive(Debug)]
pub(super) struct ClusterMachine<'p> {
    pub(super) work: ClusterWork<'p>,
    /// Not begun yet.
    pub(super) bindings: VecDeque<(BindingWrite<'p>, BindingStep)>,
    /// Effects that follow one that has ended, before anything new is begun.
    pub(super) following: VecDeque<(BindingWrite<'p>, BindingStep)>,
    /// What goes once the others are written: what replaces it is there then.
    pub(super) last: VecDeque<(BindingWrite<'p>, BindingStep)>,
    pub(super) writing: usize,
    /// Who leaves bindings of others.
    pub(super) strays: VecDeque<(TakeOut<'p>, TakeOutStep)>,
    /// What the cluster remembers, as far as is known.
    pub(super) ledger: SeenLedger,
    /// What is to be done with it.
    pub(super) noting: Noting,
    pub(super) issuing: Issuing<'p>,
    pub(super) outcome: ClusterOutcome,
    /// Bindings that are not as they were planned any more, by this apply's own doing.
    pub(super) written: BTreeSet<&'p BindingAt>,
    /// Bindings that were to lose subjects and were not there any more.
    pub(super) gone: BTreeSet<&'p BindingAt>,
    /// Who could not be put into the binding that they are to hold a role through: they stay in the old one.
    pub(super) spared: BTreeSet<CredentialGroup>,
    /// Whether some grant failed, so that nothing that it would replace may go.
    pub(super) grant_failed: bool,
    /// Whether anything is issued.
    pub(super) issues: bool,
    /// Whether a certificate was tried, and none of this cluster would be of use.
    pub(super) useless: bool,
    /// Whether the records are published.
    pub(super) is_recorded: bool,
    /// Whether who was cut off was looked for at the end.
    pub(super) is_verified: bool,
}

/// How far a cluster is with its ledger.
#[derive(Debug)]
pub(super) enum Noting {
    /// This comes next.
    Next(Box<LedgerWrite>, LedgerStep),
    UnderWay,
    /// There is nothing more to do.
    Over,
}

/// How far a cluster is with its certificates.
#[derive(Debug)]
pub(super) enum Issuing<'p> {
    /// Nothing has been asked.
    Not,
    /// Who are we there?
    Identifying,
    /// Left-overs go first.
    CleaningUp { requester: String, left: VecDeque<(&'p str, &'p str)>, under_way: bool },
    /// The signer is made ready.
    Starting,
    /// Credentials are in the making.
    Making { left: VecDeque<(&'p UserName, &'p Issuance)>, under_way: usize, trial: TrialState },
    /// There is nothing more to do.
    Over,
}

/// How far the try of the first certificate is, which all others wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TrialState {
    Due,
    UnderWay,
    Over,
}

/// Whether its certificate can be tried.
pub(super) fn is_tried(issuance: &Issuance) -> bool {
    issuance.key.made().is_some()
}

impl<'p> ClusterMachine<'p> {
    /// Who gets a new credential.
    pub(super) fn wanted(&self) -> impl Iterator<Item = (&'p UserName, &'p Issuance)> + use<'p> {
        let issues = self.issues;
        let people = self.work.plan.people.iter().filter(move |_| issues);
        people.filter_map(|action| Some((action.user(), &action.new_credential()?.issuance)))
    }

    /// Requests of ours that nobody needs: name, UID and who made each.
    pub(super) fn left_over(&self) -> impl Iterator<Item = (&'p str, &'p str, &'p str)> + use<'p> {
        self.work.plan.cleanups.iter().filter_map(|cleanup| match cleanup {
            Cleanup::Request { name, uid, requester } => Some((&**name, &**uid, &**requester)),
            Cleanup::Expired { .. } | Cleanup::Protection { .. } | Cleanup::Revoked { .. } => None,
        })
    }

    /// Bindings that are still to be brought to what the plan says; those that what they are replaced by
    /// comes before, or the others.
    pub(super) fn grants<'a>(
        &'a self,
        roster: &'p RosterName,
        visible: bool,
        last: bool,
    ) -> impl Iterator<Item = (BindingWrite<'p>, BindingStep)> + use<'a, 'p> {
        let issued = move |user: &UserName| {
            self.outcome.issued.get(user).filter(|_| visible).map(|issued| issued.group(user))
        };
        let actions = self.work.plan.bindings.iter().filter(move |action| action.goes_last == last);
        actions.filter_map(move |action| self.begin(action, roster, Goal::Grant(action.subjects(issued))))
    }

    pub(super) fn begin(
        &self,
        action: &'p BindingAction,
        roster: &'p RosterName,
        goal: Goal,
    ) -> Option<(BindingWrite<'p>, BindingStep)> {
        let since = if self.gone.contains(&action.at) {
            SincePlanned::Gone
        } else if self.written.contains(&action.at) {
            SincePlanned::Written
        } else {
            SincePlanned::Untouched
        };
        BindingWrite::begin(action, roster, goal, since)
    }

    /// The cluster remembers what is cut off, so that no record that is put back ever lets it in.
    pub(super) fn note_what_is_cut_off(&mut self, notes: &Notes, now: Timestamp) {
        let plan = self.work.plan;
        let cut_off = plan.people.iter().filter_map(|action| action.cut_off());
        let cut_off = cut_off.map(|cut_off| (cut_off.credential.clone(), cut_off.not_after));
        let revoked = plan.ledger.revoked.clone().into_iter().chain(cut_off).collect();
        let mut additions = Additions { revoked, ..Additions::none(now) };
        match &notes.unmerged {
            Some(commit) => {
                let removal = Removal { at: now, by: RemovedBy::Commit(commit.clone()) };
                let gone = plan.people.iter().filter(|action| action.reason().takes_all_access());
                additions.removed = gone.map(|action| (action.user().clone(), removal.clone())).collect();
            }
            None => additions.settled = plan.ledger.settled.clone(),
        }
        self.add(additions);
    }

    /// What nobody could note must not be issued.
    pub(super) fn issue_only_what_fits(&mut self) {
        let wanted = self.wanted().count();
        if wanted > 0 && self.ledger.known().is_some_and(|ledger| !ledger.has_room_for(wanted)) {
            self.issues = false;
            self.fails(None, ledger_write::full("nothing was issued"));
        }
    }

    /// The cluster knows what was issued before any record does, so that a run that is killed in between
    /// leaves no record behind that seems made up.
    pub(super) fn note_what_is_issued(&mut self, now: Timestamp) {
        let new = self.outcome.issued.values().map(|issued| &issued.credential);
        let new = new.map(|credential| (credential.id.clone(), credential.not_after));
        let issued = self.work.plan.ledger.adopted.clone().into_iter().chain(new).collect();
        self.add(Additions { issued, ..Additions::none(now) });
    }

    /// The roster's name belongs to this repository from now on, once everybody sees that its records say so.
    pub(super) fn claim_name(&mut self, notes: &Notes, now: Timestamp) {
        self.is_recorded = true;
        let pins = self.work.repository.roster_id.is_some() || !self.useless;
        let claim = self.work.roster_id(notes).filter(|_| pins).cloned();
        self.add(Additions { claim, ..Additions::none(now) });
    }

    pub(super) fn add(&mut self, additions: Additions) {
        if let Some((write, step)) = LedgerWrite::begin(&self.ledger, additions) {
            self.note(Box::new(write), step);
        }
    }

    pub(super) fn note(&mut self, write: Box<LedgerWrite>, step: LedgerStep) {
        let LedgerStep::End(result) = step else {
            self.noting = Noting::Next(write, step);
            return;
        };
        self.noting = Noting::Over;
        self.ledger = write.into_seen();
        if let Err(error) = result {
            // What it does not know, it would not bind: nobody records it, and the next run issues anew.
            let lost =
                if self.is_recorded { BTreeMap::new() } else { std::mem::take(&mut self.outcome.issued) };
            for user in lost.into_keys() {
                self.fails(
                    Some(&user),
                    Error::new(format!(
                        "{user}: what was issued is thrown away, because the cluster could not note it"
                    )),
                );
            }
            self.fails(None, error);
        }
    }

    pub(super) fn begin_noting(&mut self, index: usize, begun: &mut Vec<(Job<'p>, Order<'p>)>) {
        let (write, step) = match std::mem::replace(&mut self.noting, Noting::UnderWay) {
            Noting::Next(write, step) => (write, step),
            other => {
                self.noting = other;
                return;
            }
        };
        let effect = match step {
            LedgerStep::Read { pause } => Effect::ReadLedger { pause },
            LedgerStep::Write { ledger, resource_version } => {
                Effect::WriteLedger { ledger, resource_version }
            }
            end @ LedgerStep::End(_) => return self.note(write, end),
        };
        begun.push((Job::Ledger(index, write), Order::On(index, effect)));
    }

    pub(super) fn begin_strays(&mut self, index: usize, begun: &mut Vec<(Job<'p>, Order<'p>)>) {
        while let Some((work, step)) = self.strays.pop_front() {
            let effect = match step {
                TakeOutStep::Read { pause } => Effect::Read { at: work.at(), pause },
                TakeOutStep::Write { current, rest } => Effect::TakeOut { current, rest },
                TakeOutStep::End(Ok(written)) => {
                    self.outcome.bindings.extend(written.then(|| work.at().clone()));
                    continue;
                }
                TakeOutStep::End(Err(error)) => {
                    self.outcome.not_cut_off.extend(work.groups().iter().map(|group| group.holder.clone()));
                    self.fails(None, error);
                    continue;
                }
            };
            begun.push((Job::TakeOut(index, work), Order::On(index, effect)));
        }
    }

    pub(super) fn begin_bindings(&mut self, index: usize, begun: &mut Vec<(Job<'p>, Order<'p>)>) {
        loop {
            let (write, step) = match self.following.pop_front() {
                Some(next) => next,
                None if self.writing >= BINDINGS_AT_ONCE => return,
                None => {
                    if self.bindings.is_empty() && self.writing == 0 {
                        let last = std::mem::take(&mut self.last);
                        self.bindings = if self.grant_failed { VecDeque::new() } else { last };
                    }
                    let Some(next) = self.bindings.pop_front() else { return };
                    self.writing += 1;
                    next
                }
            };
            let action = write.action();
            let effect = match step {
                BindingStep::Read { pause } => Effect::Read { at: &action.at, pause },
                BindingStep::Write { write, current } => Effect::Write { action, write, current },
                BindingStep::End(result) => {
                    // It needs nothing, as far as the plan knows.
                    self.writing -= 1;
                    self.ended(&write, result);
                    continue;
                }
            };
            begun.push((Job::Binding(index, write), Order::On(index, effect)));
        }
    }

    pub(super) fn begin_issuing(
        &mut self,
        index: usize,
        interrupted: bool,
        parallelism: usize,
        probe: Probe,
        begun: &mut Vec<(Job<'p>, Order<'p>)>,
    ) {
        match &mut self.issuing {
            Issuing::Not => {
                self.issuing = Issuing::Identifying;
                begun.push((Job::Cluster(index), Order::On(index, Effect::Identify)));
            }
            Issuing::CleaningUp { under_way: true, .. } | Issuing::Identifying | Issuing::Starting => {}
            Issuing::CleaningUp { requester, left, under_way } => match left.pop_front() {
                Some((name, uid)) => {
                    *under_way = true;
                    begun.push((Job::Request(index), Order::On(index, Effect::DeleteRequest { name, uid })));
                }
                None => {
                    let requester = std::mem::take(requester);
                    if self.wanted().next().is_none() {
                        self.issuing = Issuing::Over;
                        return;
                    }
                    self.issuing = Issuing::Starting;
                    begun.push((Job::Cluster(index), Order::On(index, Effect::StartSigner { requester })));
                }
            },
            Issuing::Making { left, .. } if interrupted => {
                for (user, _) in std::mem::take(left) {
                    let error = Error::new(format!("{user}: not issued, because apply was interrupted"));
                    self.fails(Some(user), error);
                }
            }
            Issuing::Making { left, under_way, trial } => {
                while *trial != TrialState::UnderWay && *under_way < parallelism {
                    let first = match trial {
                        TrialState::Due => {
                            left.iter().position(|(_, issuance)| is_tried(issuance)).unwrap_or(0)
                        }
                        TrialState::UnderWay | TrialState::Over => 0,
                    };
                    let Some((user, issuance)) = left.remove(first) else { break };
                    *under_way += 1;
                    let tried = (*trial == TrialState::Due || probe == Probe::All) && is_tried(issuance);
                    *trial = if tried && *trial == TrialState::Due {
                        TrialState::UnderWay
                    } else {
                        TrialState::Over
                    };
                    let effect = Effect::Issue { user, issuance, probe: tried };
                    begun.push((Job::Issue(index, user, tried), Order::On(index, effect)));
                }
            }
            Issuing::Over => {}
        }
    }

    /// What this apply cuts off.
    fn cut_off(&self) -> BTreeSet<CredentialGroup> {
        let plan = self.work.plan;
        let people = plan.people.iter().filter_map(|action| {
            Some(CredentialGroup::new(action.user(), action.cut_off()?.credential.clone()))
        });
        people.chain(plan.strays.iter().flat_map(|stray| stray.groups.keys().cloned())).collect()
    }

    pub(super) fn begin_verifying(&mut self, index: usize, begun: &mut Vec<(Job<'p>, Order<'p>)>) {
        if !std::mem::replace(&mut self.is_verified, true) && !self.cut_off().is_empty() {
            begun.push((Job::Verify(index), Order::On(index, Effect::ReadBindings)));
        }
    }

    /// Whoever is bound again is named; who was not cut off in the first place is already.
    pub(super) fn verify(&mut self, bindings: Result<Vec<Binding>>) {
        let bindings = match bindings {
            Ok(bindings) => bindings,
            Err(error) => {
                return self.fails(None, error.within("could not check that who was cut off stayed out"));
            }
        };
        let cut_off = self.cut_off();
        let known = self.outcome.not_cut_off.clone();
        for binding in &bindings {
            let again = credentials(binding).filter(|group| cut_off.contains(group));
            for group in again.filter(|group| !known.contains(&group.holder)) {
                self.outcome.not_cut_off.insert(group.holder.clone());
                let error = Error::new(format!(
                    "{group} was cut off, and somebody has put it into {} since",
                    binding.at
                ));
                self.fails(None, error.hint("run `certctl apply` again: it takes it out of every binding"));
            }
        }
    }

    /// What became of somebody's credential. Where one of them would be of no use, none is: what is issued
    /// is dropped, sealed or not, and nobody has its key.
    pub(super) fn made(&mut self, user: &'p UserName, probe: bool, made: Made) {
        if let Issuing::Making { left, under_way, trial } = &mut self.issuing {
            *under_way -= 1;
            match &made {
                Made::Issued(..) if probe => *trial = TrialState::Over,
                Made::Failed(_) if *trial == TrialState::UnderWay => *trial = TrialState::Due,
                Made::Useless(_) => left.clear(),
                Made::Issued(..) | Made::Failed(_) => {}
            }
        }
        match made {
            Made::Issued(issued, warning) => {
                let told =
                    |new: &Error| self.outcome.warnings.iter().any(|told| told.message() == new.message());
                if let Some(new) = warning.filter(|new| !told(new)) {
                    self.outcome.warnings.push(new);
                }
                if !self.useless {
                    self.outcome.issued.insert(user.clone(), *issued);
                }
            }
            Made::Failed(error) => self.fails(Some(user), error),
            Made::Useless(error) => {
                self.outcome.issued.clear();
                if !std::mem::replace(&mut self.useless, true) {
                    self.fails(None, error);
                }
            }
        }
    }

    /// A binding is as far as it can be brought.
    pub(super) fn ended(&mut self, write: &BindingWrite<'p>, result: Result<BindingEnd>) {
        let action = write.action();
        let error = match result {
            Ok(BindingEnd::Unchanged) => return,
            Ok(BindingEnd::Written) => {
                self.gone.remove(&action.at);
                self.written.insert(&action.at);
                self.outcome.bindings.insert(action.at.clone());
                return;
            }
            Ok(BindingEnd::Gone) => {
                self.gone.insert(&action.at);
                let reduced = matches!(write.goal(), Goal::Reduce(_));
                self.outcome.bindings.extend(reduced.then(|| action.at.clone()));
                return;
            }
            Err(error) => error,
        };
        // Whatever was done before it failed, it is not as it was planned.
        self.written.insert(&action.at);
        let users = |joins: bool| {
            action.changes.iter().filter(move |c| c.joins == joins).filter_map(|c| c.holder.clone())
        };
        match write.goal() {
            Goal::Keep(groups) => self.spared.extend(groups.iter().cloned()),
            Goal::Reduce(_) => self.outcome.not_cut_off.extend(users(false)),
            Goal::Grant(_) => {
                self.grant_failed = true;
                self.outcome.not_bound.extend(users(true));
            }
        }
        self.fails(None, error);
    }

    /// Of bindings that vanished, and that this run does not make again.
    pub(super) fn tell_of_what_is_gone(&mut self) {
        for at in std::mem::take(&mut self.gone) {
            let action = self.work.plan.bindings.iter().find(|action| action.at == *at);
            if action.is_some_and(|action| action.reduced.as_ref().is_some_and(|stay| !stay.is_empty())) {
                let error =
                    Error::new(format!("{at} vanished, and with it the rights of those who stay in it"));
                self.fails(None, error.hint("run `certctl apply`: it makes the binding again"));
            }
        }
    }

    pub(super) fn fails(&mut self, user: Option<&UserName>, error: Error) {
        let error = error.within(&format!("cluster {}", self.work.plan.name));
        self.outcome.failures.push(Failure { user: user.cloned(), error });
    }
}
