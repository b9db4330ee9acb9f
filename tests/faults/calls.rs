//! Every call of an apply, once with every fault that applies to it.

use std::sync::mpsc;

use crate::checks;
use crate::fixture::{Fixture, reduces};
use crate::kinds::Kind;
use crate::matrix::{self, Case, End};
use crate::scenarios::SCENARIOS;

/// Runs at once. Most of the time of a run is waiting: for a retry, a lock, an answer that does not come.
const AT_ONCE: usize = 48;

/// One run: which call, in which way.
struct Run<'a> {
    fixture: &'a Fixture,
    call: usize,
    kind: Kind,
}

pub fn every_call_of_every_apply_broken_in_every_way_converges() {
    let fixtures: Vec<Fixture> = SCENARIOS.iter().map(Fixture::new).collect();
    let mut runs = Vec::new();
    for kind in Kind::ALL {
        for fixture in &fixtures {
            let calls = fixture.calls.iter().filter(|call| kind.fits(call) && !fixture.asks_again(call));
            runs.extend(calls.map(|call| Run { fixture, call: call.number, kind }));
        }
    }
    let ranges =
        fixtures.iter().map(|fixture| format!("{} 1-{}", fixture.scenario.name, fixture.calls.len()));
    let note = format!("Calls broken, by number: {}.", ranges.collect::<Vec<_>>().join(", "));
    // Those that wait for a lock to expire come first, so that the last of them does not run alone.
    runs.sort_by_key(|run| !matches!(run.kind, Kind::Kill | Kind::Outage));
    matrix::try_all(
        runs,
        AT_ONCE,
        "faults",
        "One call of an apply, broken: faults x scenarios, runs over all calls",
        &note,
    );
}

impl Case for Run<'_> {
    fn row(&self) -> &'static str {
        self.kind.name()
    }

    fn column(&self) -> &'static str {
        self.fixture.scenario.name
    }

    fn name(&self) -> String {
        let call = &self.fixture.calls[self.call - 1];
        format!(
            "{}, call {} ({} {}), {}",
            self.fixture.scenario.name,
            self.call,
            call.verb,
            call.resource,
            self.kind.name()
        )
    }

    /// A read can only be stale if an earlier response to it exists.
    fn may_not_come(&self) -> bool {
        self.kind == Kind::Stale
    }

    fn try_it(&self) -> Result<End, String> {
        let world = self.fixture.copy();
        let faults = world.sandbox.faults();
        let (reached, waiting) = mpsc::channel();
        faults.set([self.kind.rule(self.call, &reached)]);
        let mut apply = world.apply_command();
        if matches!(self.kind, Kind::Timeout | Kind::DoneThenTimeout) {
            // A short timeout for a missing response, but long enough for a slow one.
            apply.args(["--request-timeout", "6s"]);
        }
        let broken = world.start(apply).until(&waiting);
        let calls = faults.calls();
        let struck = calls.iter().any(|call| call.struck);
        // Not by the number of the call that broke: a slow run renews its lock in between, which counts too.
        let reduced = calls.iter().take_while(|call| !call.struck).filter(|call| reduces(call)).count();
        // Kept, so that nothing holds on to what a rule holds.
        faults.clear();

        let said = |why: String| format!("{why}\nthe broken run ({:?}):\n{}", broken.code, broken.said);
        checks::nothing_unrecorded_is_bound(&world).map_err(said)?;
        if broken.code == Some(0) || reduced >= self.fixture.reductions() {
            checks::is_cut_off(self.fixture, &world)
                .map_err(|why| said(format!("after the broken run, {why}")))?;
        }
        let again = world.apply();
        if again.code != Some(0) {
            return Err(said(format!("the next run failed ({:?}):\n{}", again.code, again.said)));
        }
        checks::converges(self.fixture, &world)
            .map_err(|why| said(format!("{why}\nthe next run:\n{}", again.said)))?;
        checks::no_key_is_left(&world, &(broken.said.clone() + &again.said))?;
        Ok(if struck {
            End::Converged
        } else {
            End::NeverCame(format!("{:?}\n{}", broken.code, broken.said))
        })
    }
}
