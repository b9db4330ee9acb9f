//! The ways in which a call fails.

use std::sync::mpsc::Sender;
use std::time::Duration;

use certctl_sandbox::faults::{Call, Fault, On};

/// One fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Error,
    DoneThenError,
    TooMany,
    Conflict,
    Timeout,
    DoneThenTimeout,
    Reset,
    DoneThenReset,
    Slow,
    CutAtOnce,
    CutInTheMiddle,
    Expired,
    Stale,
    Outage,
    Kill,
}

impl Kind {
    pub const ALL: [Self; 15] = [
        Self::Error,
        Self::DoneThenError,
        Self::TooMany,
        Self::Conflict,
        Self::Timeout,
        Self::DoneThenTimeout,
        Self::Reset,
        Self::DoneThenReset,
        Self::Slow,
        Self::CutAtOnce,
        Self::CutInTheMiddle,
        Self::Expired,
        Self::Stale,
        Self::Outage,
        Self::Kill,
    ];

    /// As the table calls it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Error => "500",
            Self::DoneThenError => "done, then 500",
            Self::TooMany => "429, Retry-After",
            Self::Conflict => "409",
            Self::Timeout => "timeout",
            Self::DoneThenTimeout => "done, then timeout",
            Self::Reset => "reset",
            Self::DoneThenReset => "done, then reset",
            Self::Slow => "slow",
            Self::CutAtOnce => "watch cut at once",
            Self::CutInTheMiddle => "watch cut later",
            Self::Expired => "410 expired",
            Self::Stale => "stale read",
            Self::Outage => "down from there on",
            Self::Kill => "kill -9",
        }
    }

    /// Whether it can happen to this call.
    pub fn fits(self, call: &Call) -> bool {
        let watch = call.verb == "watch";
        let read = matches!(call.verb.as_str(), "get" | "list");
        // A review is created and changes nothing.
        let review = matches!(call.resource.as_str(), "selfsubjectreviews" | "selfsubjectaccessreviews");
        let write = !watch && !read && !review;
        match self {
            Self::Error
            | Self::TooMany
            | Self::Timeout
            | Self::Reset
            | Self::Slow
            | Self::Outage
            | Self::Kill => true,
            Self::DoneThenError | Self::Conflict | Self::DoneThenTimeout | Self::DoneThenReset => write,
            Self::CutAtOnce | Self::CutInTheMiddle => watch,
            Self::Expired => watch || call.verb == "list",
            Self::Stale => read,
        }
    }

    /// The rule that makes call `number` fail. `reached` is notified when the process may be killed.
    pub fn rule(self, number: usize, reached: &Sender<()>) -> (On, Fault) {
        let fault = match self {
            Self::Error => Fault::Refused(500),
            Self::DoneThenError => Fault::DoneButRefused(500),
            Self::TooMany => Fault::TooManyRequests { retry_after: 1 },
            Self::Conflict => Fault::Conflict,
            Self::Timeout => Fault::Timeout,
            Self::DoneThenTimeout => Fault::DoneButTimeout,
            Self::Reset | Self::Outage => Fault::Reset,
            Self::DoneThenReset => Fault::DoneButReset,
            Self::Slow => Fault::Slow(Duration::from_millis(300)),
            Self::CutAtOnce => Fault::CutWatch { after: 0 },
            Self::CutInTheMiddle => Fault::CutWatch { after: 1 },
            Self::Expired => Fault::Expired,
            Self::Stale => Fault::Stale,
            Self::Kill => Fault::Hold(reached.clone()),
        };
        let on = if self == Self::Outage { On::From(number) } else { On::Call(number) };
        (on, fault)
    }
}
