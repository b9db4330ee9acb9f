//! The one clock: the system's, or the one that `CERTCTL_NOW` sets.

use std::sync::OnceLock;

use jiff::{SignedDuration, Timestamp};

use crate::error::{Error, Result};

/// How far the clock was set from the system's.
static OFFSET: OnceLock<SignedDuration> = OnceLock::new();

/// Sets the clock from `CERTCTL_NOW` (RFC 3339), and continues from there at normal speed.
///
/// # Errors
/// The variable is not a valid time.
pub fn set() -> Result<()> {
    let Some(text) = std::env::var_os("CERTCTL_NOW").filter(|text| !text.is_empty()) else {
        return Ok(());
    };
    let text = text.to_string_lossy();
    let now: Timestamp = text.parse().map_err(|cause| {
        Error::usage(format!("CERTCTL_NOW is `{text}`, which is no RFC 3339 time; nothing was done"))
            .caused_by(cause)
    })?;
    OFFSET.get_or_init(|| Timestamp::now().duration_until(now));
    Ok(())
}

/// Now, to the second, as certificates have it: what is told of it needs no fraction.
pub fn now() -> Timestamp {
    let now = Timestamp::now() + OFFSET.get().copied().unwrap_or_default();
    Timestamp::from_second(now.as_second()).unwrap_or(now)
}
