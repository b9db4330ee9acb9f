//! A signer that gives less time than was asked for, and whether that is too little.

use jiff::SignedDuration;

use crate::error::Error;

/// How far apart two scheduled applies are, and some time for the second one.
const DAILY: SignedDuration = SignedDuration::from_hours(25);

/// The signer gave less than was asked for, and so little that it ends before a daily apply renews it. What was asked
/// for is less than the roster's validity where access ends sooner.
pub fn short_lived(given: SignedDuration, asked: SignedDuration, roster: SignedDuration) -> Option<Error> {
    if given >= DAILY.min(asked * 9 / 10) {
        return None;
    }
    Some(Error::new(format!(
        "the signer gives certificates of {}, where the roster asks for {}: they end before a daily apply renews them; \
         raise its limit (`--cluster-signing-duration` of kube-controller-manager), or apply more often",
        shown(given),
        shown(roster)
    )))
}

fn shown(duration: SignedDuration) -> String {
    let hours = duration.as_secs_f64() / 3600.0;
    if hours < 48.0 { format!("{hours:.1} hours") } else { format!("{:.1} days", hours / 24.0) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signer_whose_limit_ends_before_the_next_apply_is_named_with_it() {
        let (hour, month) = (SignedDuration::from_hours(1), SignedDuration::from_hours(30 * 24));
        let warning = short_lived(hour, month, month).expect("a warning").to_string();
        assert!(warning.contains("of 1.0 hours, where the roster asks for 30.0 days"), "{warning}");
        assert!(warning.contains("--cluster-signing-duration"), "{warning}");
        for (given, asked, is_short) in [
            (25 * 60, 30 * 24 * 60, false),
            (25 * 60 - 1, 30 * 24 * 60, true),
            // Who asks for twelve hours applies more often than daily.
            (12 * 60, 12 * 60, false),
            (11 * 60, 12 * 60, false),
            (10 * 60, 12 * 60, true),
            // Access ends in ten minutes.
            (10, 10, false),
        ] {
            let [given, asked] = [given, asked].map(SignedDuration::from_mins);
            assert_eq!(short_lived(given, asked, month).is_some(), is_short, "{given} of {asked}");
        }
    }
}
