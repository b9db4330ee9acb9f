//! Single values of a roster: text in, a checked value or half a sentence of why not.

use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan as _};

use super::MaxRevocations;
use crate::model::Invalid;
use crate::model::route::host_and_port;

/// The shortest validity: Kubernetes accepts no `expirationSeconds` under 600.
const SHORTEST_VALIDITY: SignedDuration = SignedDuration::from_secs(600);
/// The longest validity: ten years of 365 days. It is a bound on mistakes, not a recommendation.
const LONGEST_VALIDITY: SignedDuration = SignedDuration::from_hours(3650 * 24);

/// 9999-01-01: beyond the range of certificates and clocks.
const LAST: Timestamp = Timestamp::constant(253_370_764_800, 0);

/// When something ends: through a whole day in UTC (`2027-03-31`), or at an RFC 3339 time, to the second as in
/// certificates.
pub(super) fn until(text: &str) -> Result<Timestamp, Invalid> {
    let not_in_calendar = || Invalid("is not in the calendar".into());
    if text.starts_with("9999-") {
        // The day after it is beyond the range of certificates and clocks.
        return Err(Invalid("is too far away: the last year is 9998".into()));
    }
    if has_shape(text, "0000-00-00") {
        // Two time zones east and west of the date line must not argue about the last day.
        let day: Date = text.parse().map_err(|_| not_in_calendar())?;
        let next = day.checked_add(1.day()).map_err(|_| not_in_calendar())?;
        let end = next.to_datetime(Time::midnight()).to_zoned(TimeZone::UTC);
        return end.map(|end| end.timestamp()).map_err(|_| not_in_calendar());
    }
    if is_rfc3339(text) {
        let time: Timestamp = text.parse().map_err(|_| not_in_calendar())?;
        return Timestamp::from_second(time.as_second()).map_err(|_| not_in_calendar());
    }
    Err(Invalid("is neither a date such as 2027-03-31 nor a time such as 2027-03-31T18:00:00Z".into()))
}

/// When something ends that is given now: after a duration such as `4h`, or as `until`.
///
/// # Errors
/// It is neither, or is over already.
pub fn end(text: &str, now: Timestamp) -> Result<Timestamp, Invalid> {
    let wrong = |why: &str| Invalid(format!("{} {why}", super::errors::quoted(text)));
    let end = match seconds_of(text) {
        Some(seconds) => {
            let after = now.as_second().checked_add(seconds).and_then(|end| Timestamp::from_second(end).ok());
            after.filter(|end| *end < LAST).ok_or_else(|| wrong("is too far away"))?
        }
        None => until(text).map_err(|Invalid(why)| {
            wrong(&if why.starts_with("is neither") {
                format!("is no duration such as 4h; it {why}")
            } else {
                why
            })
        })?,
    };
    if end <= now { Err(wrong("is over already")) } else { Ok(end) }
}

/// jiff reads more forms than RFC 3339; what other tools would read differently is refused.
fn is_rfc3339(text: &str) -> bool {
    let Some((local, rest)) = text.split_at_checked("0000-00-00T00:00:00".len()) else {
        return false;
    };
    let zone = match rest.strip_prefix('.') {
        Some(fraction) => {
            let zone = fraction.trim_start_matches(|c: char| c.is_ascii_digit());
            if !(1..=9).contains(&(fraction.len() - zone.len())) {
                return false;
            }
            zone
        }
        None => rest,
    };
    has_shape(local, "0000-00-00T00:00:00")
        && (zone == "Z" || has_shape(zone, "+00:00") || has_shape(zone, "-00:00"))
}

/// Whether a text has a digit wherever the shape has `0`, and else the same characters.
fn has_shape(text: &str, shape: &str) -> bool {
    text.len() == shape.len()
        && text.bytes().zip(shape.bytes()).all(|(t, s)| match s {
            b'0' => t.is_ascii_digit(),
            s => t == s,
        })
}

/// The requested validity of a certificate: `10m`, `12h`, `30d`, `52w`, or a sum, `1d12h`.
/// A day is 24 hours.
pub(super) fn validity(text: &str) -> Result<SignedDuration, Invalid> {
    let seconds = seconds_of(text)
        .ok_or_else(|| Invalid("is no duration such as 12h, 30d or 1d12h (units: m, h, d and w)".into()))?;
    let validity = SignedDuration::from_secs(seconds);
    if validity < SHORTEST_VALIDITY {
        return Err(Invalid("is shorter than 10m, the least that Kubernetes signs".into()));
    }
    if validity > LONGEST_VALIDITY {
        return Err(Invalid("is longer than 3650d, the most that certctl asks for".into()));
    }
    Ok(validity)
}

/// A span of time that certctl is asked about: `12h`, `14d`, `1d12h`.
///
/// # Errors
/// It is no duration.
pub fn duration(text: &str) -> Result<SignedDuration, Invalid> {
    let seconds = seconds_of(text);
    let seconds = seconds.ok_or_else(|| Invalid("is no duration such as 12h, 14d or 1d12h".into()))?;
    Ok(SignedDuration::from_secs(seconds))
}

/// `None` where the text is no duration; a duration too large for `i64` seconds counts as the
/// largest.
fn seconds_of(text: &str) -> Option<i64> {
    let mut rest = text;
    let mut total: i64 = 0;
    while !rest.is_empty() {
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (number, after) = rest.split_at(digits);
        let unit = match after.bytes().next()? {
            b'm' => 60,
            b'h' => 3600,
            b'd' => 86_400,
            b'w' => 604_800,
            _ => return None,
        };
        if number.is_empty() {
            return None;
        }
        // All digits, so the only way to fail is to be too large.
        let number: i64 = number.parse().unwrap_or(i64::MAX);
        total = total.saturating_add(number.saturating_mul(unit));
        rest = &after[1..];
    }
    (!text.is_empty()).then_some(total)
}

/// `25%`, or a count.
pub(super) fn max_revocations(text: &str) -> Result<MaxRevocations, Invalid> {
    let invalid = || Invalid("is neither a percentage from 0% to 100% nor a count such as 5".into());
    let number: u32 = match text.bytes().next() {
        Some(b'0'..=b'9') => text.strip_suffix('%').unwrap_or(text).parse().map_err(|_| invalid())?,
        _ => return Err(invalid()),
    };
    if !text.ends_with('%') {
        return Ok(MaxRevocations::Count(number));
    }
    match u8::try_from(number) {
        Ok(percent @ 0..=100) => Ok(MaxRevocations::Percent(percent)),
        _ => Err(invalid()),
    }
}

/// An API server: `https://host[:port][/path]`, and nothing that a client would treat as secret,
/// drop or read differently.
pub fn server(text: &str) -> Result<String, Invalid> {
    let invalid = |why: &str| Err(Invalid(why.into()));
    let Some(rest) = text.strip_prefix("https://") else {
        return invalid("does not begin with https://");
    };
    if text.len() > 2048 {
        return invalid("is longer than 2048 characters");
    }
    if !rest.bytes().all(|b| b.is_ascii_graphic()) {
        return invalid("may hold only visible ASCII characters");
    }
    if rest.contains('@') {
        return invalid("may hold no `@`: a kubeconfig is no place for a user name or password in a URL");
    }
    if rest.contains(['?', '#', '\\']) {
        return invalid("may hold no `?`, `#` or `\\`: it is host, port and path");
    }
    let (authority, _path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    host_and_port(authority).map(|()| text.to_owned())
}

/// A context of a kubeconfig. Tools put almost anything there (`arn:aws:eks:...`, spaces), so
/// only what cannot be shown is refused.
pub(super) fn context(text: &str) -> Result<String, Invalid> {
    if text.is_empty() || text.len() > 255 {
        return Err(Invalid("must be 1 to 255 bytes long".into()));
    }
    if crate::error::visible(text) != text || text.contains('\n') {
        return Err(Invalid("holds a character that cannot be shown".into()));
    }
    Ok(text.to_owned())
}

/// What people's context is called: a context with `{roster}` and `{cluster}` in it, or without.
pub(super) fn context_name(text: &str) -> Result<String, Invalid> {
    let rest = text.replace("{roster}", "").replace("{cluster}", "");
    match rest.contains(['{', '}']) {
        true => Err(Invalid("holds a `{` or `}` that is not of `{roster}` or `{cluster}`".into())),
        false => context(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_includes_its_whole_day_in_utc() {
        let ends = |text| until(text).expect("valid").to_string();
        assert_eq!(ends("2027-03-31"), "2027-04-01T00:00:00Z");
        assert_eq!(ends("2028-02-28"), "2028-02-29T00:00:00Z");
        assert_eq!(ends("2027-12-31"), "2028-01-01T00:00:00Z");
        assert_eq!(ends("2027-03-31T18:00:00+02:00"), "2027-03-31T16:00:00Z");
        assert_eq!(ends("2027-03-31T18:00:00.999999999Z"), "2027-03-31T18:00:00Z");
    }

    #[test]
    fn a_contexts_name_is_a_template_of_roster_and_cluster() {
        for good in [
            "{roster}-{cluster}",
            "gke_{roster}_eu_{cluster}",
            "arn:aws:eks:eu-west-1:1:cluster/{cluster}",
            "{cluster}@{roster} of people",
            "{cluster}{cluster}",
            "prod",
        ] {
            assert_eq!(context_name(good), Ok(good.to_owned()), "{good}");
        }
        let long = format!("{{cluster}}{}", "x".repeat(255));
        for bad in ["", "{", "{user}", "{ cluster }", "{{cluster}}", "{Cluster}", "a\nb", "a\u{202e}b", &long]
        {
            assert!(context_name(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_ambiguous_time_is_refused() {
        for bad in [
            "",
            "tomorrow",
            "2027-3-31",
            "2027-02-29",
            "2027-13-01",
            "20270331",
            "31.03.2027",
            "2027-03-31 18:00:00Z",
            "2027-03-31T18:00:00",
            "2027-03-31T18:00Z",
            "2027-03-31T18:00:00.Z",
            "2027-03-31T25:00:00Z",
            "2027-03-31T18:00:00+02:00[Europe/Berlin]",
            "2027-03-31T18:00:00z",
            "10000-01-01",
            "9999-12-31",
            "+002027-03-31T18:00:00Z",
            "２０２７-03-31",
        ] {
            assert!(until(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_validity_is_bounded_on_both_sides() {
        let hours = |text| validity(text).map(|v| v.as_hours());
        assert_eq!(hours("12h"), Ok(12));
        assert_eq!(hours("1d12h"), Ok(36));
        assert_eq!(hours("2w"), Ok(14 * 24));
        assert_eq!(validity("10m"), Ok(SignedDuration::from_mins(10)));
        assert_eq!(hours("3650d"), Ok(3650 * 24));
        for bad in [
            "",
            "9m",
            "0d",
            "3650d1m",
            "99999999999999999999w",
            "30",
            "d",
            "30 d",
            "-30d",
            "1.5d",
            "30s",
            "30D",
            "1y",
            "30d ",
            "P30D",
            "１d",
        ] {
            assert!(validity(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn revocations_are_limited_by_share_or_by_count() {
        assert_eq!(max_revocations("25%"), Ok(MaxRevocations::Percent(25)));
        assert_eq!(max_revocations("100%"), Ok(MaxRevocations::Percent(100)));
        assert_eq!(max_revocations("0"), Ok(MaxRevocations::Count(0)));
        for bad in ["", "%", "101%", "256%", "-1", "+1", "25 %", "25%%", "2.5", "99999999999"] {
            assert!(max_revocations(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_server_is_only_host_port_and_path() {
        for good in [
            "https://prod.example.com:6443",
            "https://10.0.0.1",
            "https://[2001:db8::1]:6443",
            "https://rancher.example.com/k8s/clusters/c-1",
        ] {
            assert_eq!(server(good).as_deref(), Ok(good));
        }
        for bad in [
            "http://prod.example.com",
            "prod.example.com",
            "https://",
            "https://:6443",
            "https://a b",
            "https://user:secret@prod.example.com",
            "https://prod.example.com?token=x",
            "https://prod.example.com#x",
            "https://prod.example.com:0",
            "https://prod.example.com:65536",
            "https://prod.example.com:+1",
            "https://prod.example.com:",
            "https://[::1",
            "https://[::1]x",
            "https://[fe80::1%25eth0]",
            "https://prod..example.com",
            "https://prod.example.com\\x",
            "https://prоd.example.com",
        ] {
            assert!(server(bad).is_err(), "{bad}");
        }
    }
}
