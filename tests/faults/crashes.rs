//! Killed at every git step and at every file step: `kill -9` before and after each run of git, and at
//! each system call that changes a file.
//!
//! certctl has no built-in crash points. A `git` that comes first on the PATH kills its parent, and
//! strace kills the process that makes the system call, be it certctl or the git that it runs.

use std::collections::BTreeMap;
use std::fs;
use std::process::{Command, Stdio};

use crate::checks;
use crate::fixture::{Fixture, World};
use crate::matrix::{self, Case, End};
use crate::scenarios::SCENARIOS;

/// Concurrent runs; here the processors are the limit.
const AT_ONCE: usize = 3;

/// What changes a file. strace kills at the entry of a call, before it did anything: a file that was just
/// made, as a lock is, is what the entry of the `write` or `rename` after it finds.
const CALLS: [&str; 12] = [
    "write",
    "pwrite64",
    "rename",
    "renameat",
    "renameat2",
    "link",
    "linkat",
    "unlink",
    "unlinkat",
    "mkdir",
    "fsync",
    "ftruncate",
];

/// If a thread makes a call more often, about this many moments are tried, spread evenly.
const MOST: usize = 12;

/// A git that counts its runs in `steps`, and kills its parent before or after the one that
/// `kill` names.
const GIT: &str = r#"echo >>"$STEPS"
step=$(wc -l <"$STEPS")
if [ "$KILL" = "before $step" ]; then kill -9 $PPID; exit 1; fi
PATH=${PATH#*:} git "$@"
code=$?
if [ "$KILL" = "after $step" ]; then kill -9 $PPID; fi
exit $code"#;

/// The moment of a crash.
#[derive(Debug, Clone)]
enum Moment {
    Git(&'static str, usize),
    File(&'static str, usize),
}

impl Moment {
    fn row(&self) -> &'static str {
        match self {
            Self::Git("before", _) => "before a git step",
            Self::Git(..) => "after a git step",
            Self::File(call, _) => call,
        }
    }

    /// An apply that is killed at that moment.
    fn apply(&self, world: &World) -> Command {
        match self {
            Self::Git(when, step) => with_git(world, &format!("{when} {step}")),
            Self::File(call, number) => {
                let inject = format!("inject={call}:signal=SIGKILL:when={number}");
                strace(world, &["-e", &format!("trace={call}"), "-e", &inject, "-o", "/dev/null"])
            }
        }
    }
}

fn with_git(world: &World, kill: &str) -> Command {
    let (folder, steps) = (world.path("bin"), world.path("steps"));
    certctl_testing::executable(&folder.join("git"), GIT);
    let path = format!("{}:{}", folder.display(), std::env::var("PATH").expect("a PATH"));
    let mut command = world.apply_command();
    command.env("PATH", path).env("STEPS", steps).env("KILL", kill);
    command
}

/// An apply under strace, its threads and children too.
fn strace(world: &World, args: &[&str]) -> Command {
    let apply = world.apply_command();
    let mut command = Command::new("strace");
    command.args(["-f", "-qq"]).args(args).arg(apply.get_program()).args(apply.get_args());
    command.env_clear().current_dir(apply.get_current_dir().expect("a folder")).stdin(Stdio::null());
    for (name, value) in apply.get_envs() {
        command.env(name, value.unwrap_or_default());
    }
    command
}

fn git_steps(fixture: &Fixture) -> usize {
    let world = fixture.copy();
    world.start(with_git(&world, "never")).end().succeeds();
    fs::read_to_string(world.path("steps")).expect("it was counted").lines().count()
}

/// How often the busiest thread makes each call.
fn file_steps(fixture: &Fixture) -> BTreeMap<&'static str, usize> {
    let world = fixture.copy();
    let log = world.path("strace.log");
    let trace = format!("trace={}", CALLS.join(","));
    world.start(strace(&world, &["-e", &trace, "-o", log.to_str().expect("UTF-8")])).end().succeeds();
    let log = fs::read(log).expect("a log");
    let log = String::from_utf8_lossy(&log);
    let mut counts: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for line in log.lines() {
        let Some((thread, rest)) = line.split_once(' ') else { continue };
        let called = |call: &&&str| rest.trim_start().starts_with(&format!("{call}("));
        if let Some(call) = CALLS.iter().find(called) {
            *counts.entry((thread, call)).or_default() += 1;
        }
    }
    let most =
        |call: &str| counts.iter().filter(|((_, c), _)| *c == call).map(|(_, n)| *n).max().unwrap_or(0);
    CALLS.iter().map(|call| (*call, most(call))).collect()
}

fn git_moments(fixture: &Fixture) -> Vec<Moment> {
    let steps = 1..=git_steps(fixture);
    steps.flat_map(|step| [Moment::Git("before", step), Moment::Git("after", step)]).collect()
}

/// The moments at file steps, and of how many they were taken.
fn file_moments(fixture: &Fixture) -> (Vec<Moment>, usize) {
    let steps = file_steps(fixture);
    let all = steps.values().sum();
    let moments = steps.into_iter().flat_map(|(call, count)| {
        (1..=count).step_by(count.div_ceil(MOST).max(1)).map(move |number| Moment::File(call, number))
    });
    (moments.collect(), all)
}

/// A crash in one scenario.
struct Crash<'a> {
    fixture: &'a Fixture,
    moment: Moment,
}

impl Case for Crash<'_> {
    fn row(&self) -> &'static str {
        self.moment.row()
    }

    fn column(&self) -> &'static str {
        self.fixture.scenario.name
    }

    fn name(&self) -> String {
        format!("{}, {:?}", self.fixture.scenario.name, self.moment)
    }

    /// Which thread makes which system call differs from run to run.
    fn may_not_come(&self) -> bool {
        matches!(self.moment, Moment::File(..))
    }

    fn try_it(&self) -> Result<End, String> {
        let world = self.fixture.copy();
        let crashed = world.start(self.moment.apply(&world)).end();
        let said =
            |why: String| format!("{why}\nthe run that crashed ({:?}):\n{}", crashed.code, crashed.said);
        checks::nothing_unrecorded_is_bound(&world).map_err(said)?;
        // What an administrator does to avoid waiting until the lock of a killed run expires.
        world.sandbox.remove("coordination.k8s.io", "leases", "kube-system", "certctl-acme");
        let again = world.apply();
        if again.code != Some(0) {
            return Err(said(format!("the next run failed ({:?}):\n{}", again.code, again.said)));
        }
        checks::converges(self.fixture, &world)
            .map_err(|why| said(format!("{why}\nthe next run:\n{}", again.said)))?;
        checks::no_key_is_left(&world, &(crashed.said.clone() + &again.said))?;
        Ok(if crashed.code == Some(0) { End::NeverCame(crashed.said) } else { End::Converged })
    }
}

pub fn a_crash_at_any_git_step_is_survived() {
    let fixtures: Vec<Fixture> = SCENARIOS.iter().map(Fixture::new).collect();
    let crashes: Vec<Crash<'_>> = fixtures
        .iter()
        .flat_map(|fixture| git_moments(fixture).into_iter().map(move |moment| Crash { fixture, moment }))
        .collect();
    let note = format!("Moments at git steps tried: all {}.", crashes.len());
    matrix::try_all(crashes, AT_ONCE, "git-steps", "kill -9 at a git step: moments x scenarios", &note);
}

pub fn a_crash_at_any_file_step_is_survived() {
    // What differs in the files is told by these two: nothing was there, and everything is.
    let scenarios = SCENARIOS.iter().filter(|scenario| matches!(scenario.name, "issue" | "mixed"));
    let fixtures: Vec<Fixture> = scenarios.map(Fixture::new).collect();
    let (mut crashes, mut notes) = (Vec::new(), Vec::new());
    for fixture in &fixtures {
        let (moments, all) = file_moments(fixture);
        notes.push(format!("{} of {all} ({})", moments.len(), fixture.scenario.name));
        crashes.extend(moments.into_iter().map(|moment| Crash { fixture, moment }));
    }
    let note = format!("Moments at file steps tried: {}.", notes.join(", "));
    matrix::try_all(crashes, AT_ONCE, "file-steps", "kill -9 at a file step: moments x scenarios", &note);
}
