//! When a call that failed is tried again, and after how long.
//!
//! Capped exponential delays with full jitter, as long as a wait that the server asked for, a bound
//! on all of it together. It refuses to repeat a call whose repetition could do harm, and to hide
//! an unreachable cluster for more than a couple of seconds.

use std::time::Duration;

use super::error::CallFailure;

/// How often a call is tried, the first time included.
const TRIES: u32 = 5;

/// How often a failed connection is retried: a server that restarts is back within a
/// second, and a wrong address should be reported at once.
const TRIES_UNCONNECTED: u32 = 3;

/// No try begins later than this after the first one began.
const BUDGET: Duration = Duration::from_secs(15);

const FIRST_DELAY: Duration = Duration::from_millis(250);
const LONGEST_DELAY: Duration = Duration::from_secs(4);

/// What repeating a call may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Repeat {
    /// Nothing: a read, or a write that is guarded so that a second one cannot do more than the
    /// first. Repeated on every failure that can pass.
    Harmless,
    /// The caller must look first. Repeated only where the server certainly did nothing.
    OnlyIfUndone,
    /// That there is no answer is an answer.
    Never,
}

/// The delay before the next try, after `tries` tries (1 or more) of which the last ended in
/// `failure`, `elapsed` after the first began. `None` gives up. `jitter` is random, 0 to 1.
pub(super) fn delay(
    failure: &CallFailure,
    repeat: Repeat,
    tries: u32,
    elapsed: Duration,
    jitter: f64,
) -> Option<Duration> {
    if repeat == Repeat::Never {
        return None;
    }
    let most = match failure {
        CallFailure::Unconnected { transient: true, .. } => TRIES_UNCONNECTED,
        // Too many requests: rejected before it was processed.
        CallFailure::Api { status, .. } if status.code == 429 => TRIES,
        CallFailure::Api { status, .. } if matches!(status.code, 500 | 502 | 503 | 504) => match repeat {
            Repeat::Harmless => TRIES,
            Repeat::OnlyIfUndone | Repeat::Never => return None,
        },
        CallFailure::Lost(_) => match repeat {
            Repeat::Harmless => TRIES,
            Repeat::OnlyIfUndone | Repeat::Never => return None,
        },
        CallFailure::Api { .. }
        | CallFailure::Unconnected { .. }
        | CallFailure::Ours(_)
        | CallFailure::Garbled(_)
        | CallFailure::TooLarge(_) => {
            return None;
        }
    };
    if tries >= most {
        return None;
    }
    let asked = match failure {
        CallFailure::Api { retry_after, .. } => *retry_after,
        _ => None,
    };
    let delay = backoff(tries, jitter).max(asked.unwrap_or_default());
    (elapsed + delay <= BUDGET).then_some(delay)
}

/// The delay after this many attempts, unless the server asked for one: between half and all of 0.25 s,
/// 0.75 s, 2.25 s, 4 s ...
pub(super) fn backoff(tries: u32, jitter: f64) -> Duration {
    let factor = 3_u32.saturating_pow(tries.saturating_sub(1).min(8));
    let full = FIRST_DELAY.saturating_mul(factor).min(LONGEST_DELAY);
    full.mul_f64(0.5 + 0.5 * jitter.clamp(0.0, 1.0))
}

/// A random number from 0 to 1; a half where the system has no randomness to give, since only the
/// spread of delays depends on it.
pub(super) fn jitter() -> f64 {
    getrandom::u32().map_or(0.5, |random| f64::from(random) / f64::from(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use kube::core::Status;

    fn api(code: u16, retry_after: Option<u64>) -> CallFailure {
        CallFailure::Api {
            status: Box::new(Status::failure("", "").with_code(code)),
            retry_after: retry_after.map(Duration::from_secs),
        }
    }

    fn unconnected(transient: bool) -> CallFailure {
        CallFailure::Unconnected { transient, cause: "refused".into() }
    }

    const START: Duration = Duration::ZERO;

    #[test]
    fn delays_grow_to_a_cap_and_are_spread() {
        let full: Vec<u128> = (1..6).map(|tries| backoff(tries, 1.0).as_millis()).collect();
        assert_eq!(full, [250, 750, 2250, 4000, 4000]);
        assert_eq!(backoff(1, 0.0).as_millis(), 125);
        assert_eq!(backoff(u32::MAX, 1.0), LONGEST_DELAY);
    }

    #[test]
    fn transient_errors_are_retried_and_others_are_not() {
        for code in [429, 500, 502, 503, 504] {
            assert!(delay(&api(code, None), Repeat::Harmless, 1, START, 0.0).is_some(), "{code}");
        }
        for code in [400, 401, 403, 404, 409, 410, 422] {
            assert!(delay(&api(code, None), Repeat::Harmless, 1, START, 0.0).is_none(), "{code}");
        }
        assert!(delay(&CallFailure::Lost("reset".into()), Repeat::Harmless, 1, START, 0.0).is_some());
        assert!(delay(&CallFailure::Ours("no token".into()), Repeat::Harmless, 1, START, 0.0).is_none());
    }

    #[test]
    fn a_call_that_may_have_taken_effect_is_not_repeated_blindly() {
        for code in [500, 502, 503, 504] {
            assert!(delay(&api(code, None), Repeat::OnlyIfUndone, 1, START, 0.0).is_none(), "{code}");
        }
        assert!(delay(&CallFailure::Lost("reset".into()), Repeat::OnlyIfUndone, 1, START, 0.0).is_none());
        assert!(delay(&api(429, None), Repeat::OnlyIfUndone, 1, START, 0.0).is_some());
        assert!(delay(&unconnected(true), Repeat::OnlyIfUndone, 1, START, 0.0).is_some());
    }

    #[test]
    fn an_unreachable_cluster_is_reported_soon() {
        assert!(delay(&unconnected(true), Repeat::Harmless, 2, START, 1.0).is_some());
        assert!(delay(&unconnected(true), Repeat::Harmless, 3, START, 0.0).is_none());
        assert!(delay(&unconnected(false), Repeat::Harmless, 1, START, 0.0).is_none());
    }

    #[test]
    fn the_servers_delay_is_respected_within_the_budget() {
        let wait = delay(&api(429, Some(7)), Repeat::Harmless, 1, START, 0.0);
        assert_eq!(wait, Some(Duration::from_secs(7)));
        assert!(delay(&api(429, Some(3600)), Repeat::Harmless, 1, START, 0.0).is_none());
        assert!(delay(&api(503, None), Repeat::Harmless, 1, BUDGET, 0.0).is_none());
        assert!(delay(&api(503, None), Repeat::Harmless, 5, START, 0.0).is_none());
    }
}
