//! `certctl doctor`: one line a check of what a plan and an apply need, here and on each cluster.

use crate::checks::cluster::Examination;
use crate::checks::{Checks, repository};
use crate::cli::{DoctorArgs, DutyChoice, Global};
use crate::console::terminal::Terminal;
use crate::error::Result;
use crate::interrupt::Interrupt;
use crate::rights::manifest::Duty;

pub async fn run(global: &Global, args: &DoctorArgs, terminal: &Terminal) -> Result<u8> {
    let mut checks = Checks::default();
    repository::git(global, &mut checks);
    if let Some(source) = repository::roster(global, &mut checks) {
        repository::keys(&source, &mut checks, terminal);
        let (_, interrupt) = Interrupt::new();
        let examination = Examination {
            source: &source,
            global,
            duty: match args.duty {
                DutyChoice::Plan => Duty::Plan,
                DutyChoice::Apply => Duty::Apply,
            },
            sign: args.sign.then_some(args.timeout),
            interrupt: &interrupt,
        };
        let clusters = source.clusters(global).map(|(name, wanted)| examination.of(name, wanted));
        for of_cluster in futures::future::join_all(clusters).await {
            checks.extend(of_cluster);
        }
    }
    checks.finish(args.format, terminal)
}
