//! The section `audit` of `omni.yaml` as it is written.

use std::path::PathBuf;

use omni_audit::{VerifierKey, WITNESSED_MAX};
use omni_secrets::Template;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The audit log: what happened, on whose account, in a form that an outsider can check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct AuditSettings {
    /// What an answer waits for.
    pub(crate) mode: AuditMode,
    /// The folder of the log; by default `audit` in the data directory. No two hubs write one log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) path: Option<PathBuf>,
    /// Events that may wait to be written. A crash in `fast` mode loses at most twice as many.
    #[schemars(range(min = 64, max = 1_000_000))]
    pub(crate) queue_records_max: usize,
    /// Bytes of events that may wait to be written.
    #[schemars(range(min = 1_048_576, max = 1_073_741_824))]
    pub(crate) queue_bytes_max: usize,
    /// How long an event waits at most for others to be written with, in `fast` mode.
    #[schemars(range(min = 1, max = 10_000))]
    pub(crate) group_ms: u64,
    /// Bytes after which a file of the log is closed.
    #[schemars(range(min = 1_048_576, max = 1_073_741_824))]
    pub(crate) segment_bytes_max: u64,
    /// How long records are to be kept; it is written into each file of the log. 2557 days are seven years.
    #[schemars(range(min = 1, max = 36_500))]
    pub(crate) retention_days: u64,
    /// Whether the arguments of calls are kept in clear (up to 16 KiB each), not their SHA-256 alone.
    pub(crate) arguments: bool,
    /// Whether events are lines of the hub's log, too (target `audit`): refusals and changes at `info`, what went well at
    /// `debug`.
    pub(crate) also_log: bool,
    /// Keys that are kept elsewhere than in the log's folder.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) keys: Option<AuditKeys>,
    /// Where signed checkpoints are sent, so that who holds this disk cannot rewrite the past unnoticed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) witnesses: Vec<WitnessSettings>,
    /// How often a new checkpoint is sent to the witnesses.
    #[schemars(range(min = 1, max = 86_400))]
    pub(crate) witness_every_s: u64,
    /// Public keys (`NAME+HASH+KEY`, of `log.vkey`) of other hubs' audit logs that this hub is a witness of: it keeps their checkpoints, in
    /// `witness` in the data directory, and cosigns what goes on from what it saw (C2SP tlog-witness, at `/witness`).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) witness_of: Vec<String>,
    /// Where events are sent, such as a SIEM. Each receiver has its own place in the log, and goes on there after a restart.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) forward: Vec<ForwardSettings>,
}

/// Keys that are kept elsewhere, by the Secret Manager's providers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AuditKeys {
    /// The key that wraps the data keys, as a reference: `${VAULT:omni/audit:key}`, `${FILE:audit-key}`. `omni audit make-key` makes
    /// one. It is asked for when the hub starts, and written nowhere.
    pub(crate) encryption: String,
    /// The one before it, until the hub was started once with both: what it wrapped is wrapped anew.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) encryption_before: Option<String>,
}

/// What an answer waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum AuditMode {
    /// For nothing: a crash loses what waits to be written, and a full queue or disk sheds events, visibly.
    #[default]
    Fast,
    /// No call is made before its record is on the disk, and none is answered before its end is.
    Strict,
    /// There is no audit log; refusals still stand in the hub's log.
    Off,
}

/// Where signed checkpoints are sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
pub(crate) enum WitnessSettings {
    /// Appended to a file, which belongs on another mount.
    File {
        /// The file.
        path: PathBuf,
    },
    /// Sent by POST, as `text/plain`.
    Webhook {
        /// `https://…`; `http://` only to this machine.
        url: String,
        /// The header `Authorization`; write it as `${VARIABLE}`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        authorization: Option<String>,
    },
    /// Sent to a syslog receiver (RFC 5424).
    Syslog {
        /// `tls://HOST:PORT` (RFC 5425); `tcp://` only to this machine (RFC 6587, octets counted).
        url: String,
    },
    /// Shown to another hub that has this log's key in its `audit.witness_of`, or to any witness of C2SP tlog-witness: it refuses a
    /// history that was cut or written anew.
    Hub {
        /// Where `/add-checkpoint` belongs: `https://HOST/witness`; `http://` only to this machine.
        url: String,
    },
}

/// Where events are sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
pub(crate) enum ForwardSettings {
    /// OpenTelemetry log records over HTTP, encoded as JSON (OTLP).
    Otlp {
        /// Under which its place in the log is kept.
        name: String,
        /// The whole address, such as `https://collector.example/v1/logs`; `http://` only to this machine.
        url: String,
        /// The header `Authorization`; write it as `${VARIABLE}`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        authorization: Option<String>,
    },
    /// JSON lines over HTTP, by POST, as `application/x-ndjson`.
    Lines {
        /// Under which its place in the log is kept.
        name: String,
        /// `https://…`; `http://` only to this machine.
        url: String,
        /// The header `Authorization`; write it as `${VARIABLE}`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        authorization: Option<String>,
    },
    /// A syslog receiver (RFC 5424). Syslog does not acknowledge: what was on its way when a connection broke may be lost.
    Syslog {
        /// Under which its place in the log is kept.
        name: String,
        /// `tls://HOST:PORT` (RFC 5425); `tcp://` only to this machine (RFC 6587, octets counted).
        url: String,
    },
}

impl ForwardSettings {
    /// Under which its place in the log is kept.
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Otlp { name, .. } | Self::Lines { name, .. } | Self::Syslog { name, .. } => name,
        }
    }
}

impl Default for AuditSettings {
    fn default() -> Self {
        Self {
            mode: AuditMode::Fast,
            path: None,
            queue_records_max: 16_384,
            queue_bytes_max: 32 << 20,
            group_ms: 20,
            segment_bytes_max: 64 << 20,
            retention_days: 2_557,
            arguments: false,
            also_log: true,
            keys: None,
            witnesses: Vec::new(),
            witness_every_s: 60,
            witness_of: Vec::new(),
            forward: Vec::new(),
        }
    }
}

/// What is wrong with the section that its shape does not tell: the key, and why.
pub(crate) fn faults(settings: &AuditSettings) -> Vec<(String, String)> {
    let mut faults = key_faults(settings);
    for (at, witness) in settings.witnesses.iter().enumerate() {
        let (url, schemes) = match witness {
            WitnessSettings::File { .. } => continue,
            WitnessSettings::Webhook { url, .. } | WitnessSettings::Hub { url } => (url, ["https", "http"]),
            WitnessSettings::Syslog { url } => (url, ["tls", "tcp"]),
        };
        faults.extend(address_fault(url, schemes).map(|why| (format!("audit.witnesses.{at}.url"), why)));
    }
    for (at, key) in settings.witness_of.iter().enumerate() {
        if let Err(why) = key.parse::<VerifierKey>() {
            faults.push((format!("audit.witness_of.{at}"), why.to_string()));
        }
    }
    if settings.witness_of.len() > WITNESSED_MAX {
        faults.push(("audit.witness_of".to_owned(), format!("at most {WITNESSED_MAX} logs are watched")));
    }
    let mut names: Vec<&str> = Vec::new();
    for (at, forward) in settings.forward.iter().enumerate() {
        let (url, schemes) = match forward {
            ForwardSettings::Otlp { url, .. } | ForwardSettings::Lines { url, .. } => (url, ["https", "http"]),
            ForwardSettings::Syslog { url, .. } => (url, ["tls", "tcp"]),
        };
        faults.extend(address_fault(url, schemes).map(|why| (format!("audit.forward.{at}.url"), why)));
        let name = forward.name();
        let is_plain = !name.is_empty()
            && name.len() <= NAME_BYTES_MAX
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
        if !is_plain {
            let why = format!("a name has 1 to {NAME_BYTES_MAX} letters, digits, `-` and `_`: a file is called so");
            faults.push((format!("audit.forward.{at}.name"), why));
        } else if names.contains(&name) {
            faults.push((format!("audit.forward.{at}.name"), format!("`{name}` stands there twice")));
        }
        names.push(name);
    }
    faults
}

/// A key does not stand in the configuration.
fn key_faults(settings: &AuditSettings) -> Vec<(String, String)> {
    let Some(keys) = &settings.keys else { return Vec::new() };
    let texts = [("encryption", Some(&keys.encryption)), ("encryption_before", keys.encryption_before.as_ref())];
    let fault = |text: &str| match Template::parse(text) {
        Ok(template) if template.references().count() == 1 && text.starts_with("${") && text.ends_with('}') => None,
        Ok(_) => {
            Some("write a reference, such as `${VAULT:omni/audit:key}`: a key does not stand here itself".to_owned())
        }
        Err(error) => Some(error.to_string()),
    };
    let one = |(name, text): (&str, Option<&String>)| Some((format!("audit.keys.{name}"), fault(text?)?));
    texts.into_iter().filter_map(one).collect()
}

/// Bytes of a receiver's name.
const NAME_BYTES_MAX: usize = 32;

/// What leaves this machine leaves it encrypted.
fn address_fault(url: &str, [safe, plain]: [&str; 2]) -> Option<String> {
    let wrong = || Some(format!("`{url}` is no address: write {safe}://HOST:PORT"));
    let Some((scheme, rest)) = url.split_once("://") else { return wrong() };
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    let host = authority.rsplit_once(':').map_or(authority, |(host, _)| host);
    let host = host.trim_start_matches('[').trim_end_matches(']');
    if host.is_empty() || authority.contains('@') {
        return wrong();
    }
    let is_here = host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
    match scheme {
        _ if scheme == safe => None,
        _ if scheme == plain && is_here => None,
        _ if scheme == plain => Some(format!("`{url}` would tell events in clear to another machine: use {safe}://")),
        _ => wrong(),
    }
}

#[cfg(test)]
mod tests {
    use super::{AuditSettings, ForwardSettings, WitnessSettings, faults};

    #[test]
    fn shb_4_events_leave_the_machine_encrypted_or_not_at_all() {
        let of = |url: &str| {
            let witnesses = vec![WitnessSettings::Webhook { url: url.to_owned(), authorization: None }];
            faults(&AuditSettings { witnesses, ..AuditSettings::default() }).len()
        };
        for good in ["https://a.example/x", "http://127.0.0.1:1/x", "http://[::1]:1", "http://localhost/"] {
            assert_eq!(of(good), 0, "{good}");
        }
        for bad in ["http://a.example/", "ftp://127.0.0.1/", "a.example", "https://", "https://u:p@a.example/"] {
            assert_eq!(of(bad), 1, "{bad}");
        }
    }

    #[test]
    fn a_receivers_place_has_a_name_of_its_own() {
        let of = |names: &[&str]| {
            let one = |name: &&str| ForwardSettings::Syslog { name: (*name).to_owned(), url: "tls://a:1".to_owned() };
            let forward = names.iter().map(one).collect();
            faults(&AuditSettings { forward, ..AuditSettings::default() }).len()
        };
        assert_eq!((of(&["a", "b"]), of(&["a", "a"]), of(&["../a"]), of(&[""])), (0, 1, 1, 1));
    }
}
