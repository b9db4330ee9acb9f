//! Cuts one person off on one cluster, with nothing but a way there: every binding, and beside that the ledger, so
//! that no apply lets them in again. It waits for no lock and no other step, and goes on after each failure.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use super::ledger_write::{self, Additions, LedgerStep, LedgerWrite};
use super::run::after;
use super::take_out::{TakeOut, TakeOutStep};
use crate::cluster::{Connection, WritePermit, Writer};
use crate::error::{Error, Result};
use crate::ledger::{Removal, RemovedBy};
use crate::model::{CredentialId, RosterName, UserName};
use crate::plan::emergency::Hold;
use crate::plan::observed::SeenLedger;

/// How long a credential is remembered as revoked where nobody knows when it expires.
const UNKNOWN: SignedDuration = SignedDuration::from_hours(24 * 366 * 10);

/// What is to be done about whom.
#[derive(Debug, Clone)]
pub struct Emergency {
    pub user: UserName,
    /// Only this credential: its owner is not kept out.
    pub credential: Option<CredentialId>,
    pub now: Timestamp,
}

/// Cuts them off.
///
/// # Errors
/// Whatever was not done; all the rest was.
pub async fn cut_off(
    connection: &Connection,
    roster: &RosterName,
    seen: &SeenLedger,
    holds: &[Hold],
    emergency: &Emergency,
) -> Result<()> {
    let Emergency { user, credential, now } = emergency;
    let writer = Writer::new(connection, roster, &WritePermit::new());
    let ids = holds.iter().flat_map(|hold| &hold.groups).map(|group| &group.id).chain(credential);
    let issued = |id: &CredentialId| Some(*seen.known()?.issued.get(id)?);
    let revoked: BTreeMap<CredentialId, Timestamp> =
        ids.map(|id| (id.clone(), issued(id).unwrap_or(*now + UNKNOWN))).collect();
    let removed = match credential {
        Some(_) => BTreeMap::new(),
        None => [(user.clone(), Removal { at: *now, by: RemovedBy::Command })].into(),
    };
    let additions = Additions { revoked, removed, ..Additions::none(*now) };
    let (noted, taken_out) = futures::join!(note(&writer, seen, additions), async {
        let mut ended = Vec::new();
        for hold in holds {
            ended.push(take_out(&writer, hold).await);
        }
        ended
    });
    let noted = noted.map_err(|error| error.hint("until that is done, the next apply may let them in again"));
    let errors = [noted].into_iter().chain(taken_out).filter_map(Result::err);
    Error::all(errors).map_or(Ok(()), Err)
}

/// Lets somebody in again, with the next apply and with a new credential.
///
/// # Errors
/// The ledger could not be written.
pub async fn let_in_again(
    connection: &Connection,
    roster: &RosterName,
    seen: &SeenLedger,
    emergency: &Emergency,
) -> Result<()> {
    let writer = Writer::new(connection, roster, &WritePermit::new());
    let settled = BTreeSet::from([emergency.user.clone()]);
    note(&writer, seen, Additions { settled, ..Additions::none(emergency.now) }).await
}

async fn note(writer: &Writer, seen: &SeenLedger, additions: Additions) -> Result<()> {
    if let SeenLedger::Unusable { message, hints } = seen {
        return Err(ledger_write::unusable(message, hints));
    }
    let Some((mut write, mut step)) = LedgerWrite::begin(seen, additions) else { return Ok(()) };
    loop {
        step = match step {
            LedgerStep::End(result) => return result,
            LedgerStep::Read { pause } => write.read(after(pause, writer.get_ledger()).await),
            LedgerStep::Write { ledger, resource_version } => {
                write.written(writer.put_ledger(&ledger, resource_version.as_deref()).await)
            }
        };
    }
}

async fn take_out(writer: &Writer, hold: &Hold) -> Result<()> {
    let (mut work, mut step) = TakeOut::begin(&hold.binding, hold.groups.clone());
    loop {
        step = match step {
            TakeOutStep::End(result) => return result.map(drop),
            TakeOutStep::Read { pause } => work.read(after(pause, writer.get_binding(work.at())).await),
            TakeOutStep::Write { current, rest } => work.written(writer.leave_only(&current, &rest).await),
        };
    }
}
