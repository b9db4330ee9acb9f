//! The codes of what an audit can find.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What an audit can find; the worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum FindingCode {
    OpenToEveryone,
    ForeignFullControl,
    ForeignCertificate,
    ForeignCredential,
    ForeignPower,
    ForeignWildcard,
    ForeignWrite,
    GrantedFullControl,
    GrantedPower,
    GrantedWildcard,
    RevokedCertificate,
    IgnoreEnded,
}

impl FindingCode {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::OpenToEveryone,
        Self::ForeignFullControl,
        Self::ForeignCertificate,
        Self::ForeignCredential,
        Self::ForeignPower,
        Self::ForeignWildcard,
        Self::ForeignWrite,
        Self::GrantedFullControl,
        Self::GrantedPower,
        Self::GrantedWildcard,
        Self::RevokedCertificate,
        Self::IgnoreEnded,
    ];

    /// Stable, for machines and for `audit.ignore`.
    pub fn word(self) -> &'static str {
        match self {
            Self::OpenToEveryone => "open-to-everyone",
            Self::ForeignFullControl => "foreign-full-control",
            Self::ForeignCertificate => "foreign-certificate",
            Self::ForeignCredential => "foreign-credential",
            Self::ForeignPower => "foreign-power",
            Self::ForeignWildcard => "foreign-wildcard",
            Self::ForeignWrite => "foreign-write",
            Self::GrantedFullControl => "granted-full-control",
            Self::GrantedPower => "granted-power",
            Self::GrantedWildcard => "granted-wildcard",
            Self::RevokedCertificate => "revoked-certificate",
            Self::IgnoreEnded => "ignore-ended",
        }
    }
}
