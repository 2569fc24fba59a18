//! The table of targets.

use crate::targets::{
    audit_ask, audit_note, audit_proof, audit_record, audit_segment, batch, cursor, dispatch, envelope, header, jwks,
    line, list, name, policy, profile, reference, scan, schema, screen, sse, state, token, translate, uri, websocket,
};

/// One thing that is fuzzed.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// Its name: of its file here, and of its folder in `corpus/`.
    pub name: &'static str,
    /// What it holds true; it panics where it does not.
    pub run: fn(&[u8]),
}

/// All of them.
pub const TARGETS: &[Target] = &[
    Target { name: "audit_ask", run: audit_ask::run },
    Target { name: "audit_note", run: audit_note::run },
    Target { name: "audit_proof", run: audit_proof::run },
    Target { name: "audit_record", run: audit_record::run },
    Target { name: "audit_segment", run: audit_segment::run },
    Target { name: "batch", run: batch::run },
    Target { name: "cursor", run: cursor::run },
    Target { name: "dispatch", run: dispatch::run },
    Target { name: "envelope", run: envelope::run },
    Target { name: "header", run: header::run },
    Target { name: "jwks", run: jwks::run },
    Target { name: "line", run: line::run },
    Target { name: "list", run: list::run },
    Target { name: "name", run: name::run },
    Target { name: "policy", run: policy::run },
    Target { name: "profile", run: profile::run },
    Target { name: "reference", run: reference::run },
    Target { name: "scan", run: scan::run },
    Target { name: "schema", run: schema::run },
    Target { name: "screen", run: screen::run },
    Target { name: "sse", run: sse::run },
    Target { name: "state", run: state::run },
    Target { name: "token", run: token::run },
    Target { name: "translate", run: translate::run },
    Target { name: "uri", run: uri::run },
    Target { name: "websocket", run: websocket::run },
];

/// The target called `name`.
#[must_use]
pub fn target(name: &str) -> Option<&'static Target> {
    TARGETS.iter().find(|target| target.name == name)
}
