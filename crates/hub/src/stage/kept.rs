//! `resources/read` answered with what was kept, where that may serve this caller, instead of asking the server (rows RES-3,
//! CACHE-4, EMG-3). Policy has decided before: what was kept opens nothing.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use omni_cache::{Audience, Cache, Entry, Epoch, Found, Key, Kind, Lead, Said, Tag, Turn};
use omni_protocol::{Era, Message, Method, Splice, member, meta_keys};
use omni_types::{Blame, Fault, keyed_digest};
use serde::Deserialize;

use crate::Hub;
use crate::calls::unless_cancelled;
use crate::scope::Scope;
use crate::stage::authorize::Authorized;
use crate::stage::forward::{Answered, Arrived};
use crate::stage::leaving::leave;
use crate::stage::sanitize::Sanitized;

/// Directories above a resource that an update of it may concern.
const ABOVE_MAX: usize = 16;

/// Where one answer would stand, and what came of looking for it.
#[derive(Debug)]
pub(crate) struct Shelf {
    cache: Arc<Cache>,
    private: Key,
    public: Key,
    tags: Vec<Tag>,
    began: Epoch,
    /// What the operator allows where the server says nothing.
    allowed: Duration,
    server: String,
    id: String,
    /// Others wait for what comes of this call.
    lead: Option<(Key, Lead)>,
}

/// For how long, and for whom, an answer may be kept.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Term {
    fresh: Duration,
    public: bool,
}

/// What becomes wrong with `server`'s resources.
pub(crate) fn server_tag(server: &str) -> Tag {
    Tag::of(&["resources", server])
}

/// What becomes wrong with the resource `uri` of `server`.
pub(crate) fn uri_tag(server: &str, uri: &str) -> Tag {
    Tag::of(&["resource", server, uri])
}

/// The tags that an update of `uri` concerns: its own, and those of what it stands in, since an update may be told of a part of
/// what was read (server/resources, "Subscriptions").
pub(crate) fn updated_tags(server: &str, uri: &str) -> Vec<Tag> {
    let above = uri.match_indices('/').rev().take(ABOVE_MAX).flat_map(|(at, _)| [&uri[..at], &uri[..=at]]);
    std::iter::once(uri).chain(above).map(|uri| uri_tag(server, uri)).collect()
}

impl Shelf {
    /// The place for the answer to this call; `None` where it is none that may be kept.
    pub(crate) fn of(hub: &Hub, authorized: &Authorized) -> Option<Self> {
        let cache = Arc::clone(hub.snapshot().cache());
        let authenticated = &authorized.admitted.authenticated;
        let (validated, principal) = (&authenticated.validated, &authenticated.principal);
        let params = validated.params();
        let is_first = params.request_state.is_none() && params.input_responses_range.is_none();
        let found = authorized.found()?;
        if !cache.is_on()
            || !is_first
            || validated.method() != Some(&Method::ResourcesRead)
            || found.server.is_per_session()
        {
            return None;
        }
        let server = found.server.name().as_str();
        let scope = match &validated.received().scope {
            Scope::All => Cow::Borrowed("all"),
            Scope::One(name) => Cow::Owned(format!("one {name}")),
            // URIs are shown under the same names there, and policy has asked the profile already.
            Scope::Profile(_) => Cow::Borrowed("all"),
        };
        let capabilities = keyed_digest(&validated.profile().capabilities).to_le_bytes();
        let parts = [
            scope.as_bytes(),
            validated.version().as_str().as_bytes(),
            &capabilities,
            server.as_bytes(),
            found.name.as_bytes(),
        ];
        let whose = format!("{:032x}\0{}", principal.authorization(), principal.binding());
        Some(Self {
            private: Key::of(Kind::Resource, Audience::Private(whose.as_bytes()), &parts),
            public: Key::of(Kind::Resource, Audience::Public, &parts),
            tags: vec![server_tag(server), uri_tag(server, &found.name)],
            began: cache.epoch(),
            allowed: cache.allowed(server, &found.name),
            server: server.to_owned(),
            id: validated.message().id().unwrap_or("null").to_owned(),
            lead: None,
            cache,
        })
    }

    /// The answer, where it is kept, or where another caller of the same is being answered with something that may serve this one.
    ///
    /// # Errors
    /// When the client cancels the call, more is asked for than may be, or what is kept may not leave any more.
    pub(crate) async fn answer(&mut self, hub: &Hub, authorized: &Authorized) -> Result<Option<Sanitized>, Fault> {
        let keys = [self.private, self.public];
        loop {
            if let Some(found) = self.cache.look(&keys) {
                counted(hub, authorized)?;
                return self.told(hub, &found).map(Some);
            }
            // Whether it is everybody's is known from the last time only.
            let key = if self.cache.knows(&self.public) { self.public } else { self.private };
            match self.cache.turn(key) {
                Turn::Alone => return Ok(None),
                Turn::Lead(lead) => {
                    // It may have been kept between the look and the turn.
                    if let Some(found) = self.cache.peek(&keys) {
                        drop(lead);
                        counted(hub, authorized)?;
                        return self.told(hub, &found).map(Some);
                    }
                    self.began = self.cache.epoch();
                    self.lead = Some((key, lead));
                    return Ok(None);
                }
                Turn::Follow(follow) => {
                    let waiting = async { Ok(follow.wait().await) };
                    match unless_cancelled(authorized.admitted.booked.as_ref(), waiting).await? {
                        Some(Said::Shared(body)) => {
                            counted(hub, authorized)?;
                            let found = Found { body, age: Duration::ZERO, left: Duration::ZERO };
                            return self.own(hub, &found.body).map(Some);
                        }
                        Some(Said::Own) => return Ok(None),
                        None => {}
                    }
                }
            }
        }
    }

    /// For how long the answer may be kept, as the server that gave it says; `None` where not at all.
    pub(crate) fn term(&self, answered: &Answered) -> Option<Term> {
        let Arrived::Answer { exchange, .. } = &answered.arrived else { return None };
        let result = exchange.rest.is_none().then(|| exchange.first.result()).flatten()?;
        let term = match answered.link.version().era() {
            Era::Modern => said(result)?,
            Era::Legacy => Term { fresh: self.allowed, public: false },
        };
        // A hub behind this one marks what it had kept: the mark would stand twice.
        (!term.fresh.is_zero() && !result.contains(meta_keys::KEPT)).then_some(term)
    }

    /// The call was answered: it is kept where it may be, and given to who waits where it may serve them.
    pub(crate) fn keep(mut self, answer: Sanitized, term: Option<Term>) -> Sanitized {
        let lead = self.lead.take();
        let kept = term.and_then(|term| Some((term, result_of(&answer)?)));
        let Some((term, body)) = kept else {
            if let Some((_, lead)) = lead {
                lead.say(Said::Own);
            }
            return answer;
        };
        let key = if term.public { self.public } else { self.private };
        let (fresh, tags, began) = (term.fresh, std::mem::take(&mut self.tags), self.began);
        // Copied: the answer is a part of a larger buffer that would stay with it.
        self.cache.keep(key, Entry { body: Bytes::copy_from_slice(&body), fresh, tags, began });
        if let Some((flight, lead)) = lead {
            let serves = term.public || flight == self.private;
            lead.say(if serves { Said::Shared(body) } else { Said::Own });
        }
        answer
    }

    /// The call failed: something kept stands in for the answer where the fault is its server's.
    ///
    /// # Errors
    /// The fault, where nothing stands in.
    pub(crate) fn stand_in(mut self, hub: &Hub, fault: Fault) -> Result<Sanitized, Fault> {
        if let Some((_, lead)) = self.lead.take() {
            // One after another they would wait for as long as each may: they ask at once, as far as the server lets them.
            lead.say(Said::Own);
        }
        if fault.blame() != Blame::Server {
            return Err(fault);
        }
        match self.cache.stand_in(&[self.private, self.public]) {
            Some(found) => self.told(hub, &found),
            None => Err(fault),
        }
    }

    /// What was kept, as the answer to this call: how old it is stands in it, and for how long it may be kept is less by that.
    fn told(&self, hub: &Hub, found: &Found) -> Result<Sanitized, Fault> {
        let Ok(text) = std::str::from_utf8(&found.body) else { return self.own(hub, &found.body) };
        self.own(hub, aged(text, found).as_bytes())
    }

    fn own(&self, hub: &Hub, result: &[u8]) -> Result<Sanitized, Fault> {
        let mut message = Vec::with_capacity(result.len() + self.id.len() + 40);
        message.extend_from_slice(br#"{"jsonrpc":"2.0","id":"#);
        message.extend_from_slice(self.id.as_bytes());
        message.extend_from_slice(br#","result":"#);
        message.extend_from_slice(result);
        message.push(b'}');
        // What is masked today may not have been when it was kept.
        leave(hub, &self.server, message.into()).map(Sanitized::ready)
    }
}

/// An answer that asks no server is a call like any other for who calls.
fn counted(hub: &Hub, authorized: &Authorized) -> Result<(), Fault> {
    let Some(found) = authorized.found() else { return Ok(()) };
    let principal = &authorized.admitted.authenticated.principal;
    hub.snapshot().throttle().call(principal, found.server.name().as_str(), &found.name)
}

/// What a server of 2026-07-28 says of a complete result.
fn said(result: &str) -> Option<Term> {
    #[derive(Deserialize)]
    struct Hint<'a> {
        #[serde(rename = "ttlMs")]
        ttl_ms: Option<u64>,
        #[serde(rename = "cacheScope", borrow)]
        scope: Option<Cow<'a, str>>,
        #[serde(rename = "resultType", borrow)]
        kind: Option<Cow<'a, str>>,
    }
    let hint: Hint<'_> = serde_json::from_str(result).ok()?;
    let complete = hint.kind.is_none_or(|kind| kind == "complete");
    let fresh = Duration::from_millis(hint.ttl_ms?);
    complete.then(|| Term { fresh, public: hint.scope.as_deref() == Some("public") })
}

/// The result of an answer that is whole and tells of no failure.
fn result_of(answer: &Sanitized) -> Option<Bytes> {
    let first = answer.whole()?;
    let message = Message::parse(first.clone()).ok()?;
    Some(first.slice(message.result_range()?))
}

/// `result` with its age told, and its time shortened by that.
fn aged(result: &str, found: &Found) -> String {
    let mut splice = Splice::new();
    if let Some(place) = member(result, "ttlMs").map(|value| range_in(result, value.get())) {
        splice.replace(place, found.left.as_millis().to_string().into_bytes());
    }
    let mark = format!(r#""{}":{{"ageMs":{},"stale":{}}}"#, meta_keys::KEPT, found.age.as_millis(), found.is_stale());
    let meta = member(result, "_meta").map(|value| value.get()).filter(|meta| meta.starts_with('{'));
    match meta {
        Some(meta) => {
            let comma = if meta[1..].trim_start().starts_with('}') { "" } else { "," };
            let at = range_in(result, meta).start + 1;
            splice.replace(at..at, format!("{mark}{comma}").into_bytes());
        }
        None => {
            let comma = if result[1..].trim_start().starts_with('}') { "" } else { "," };
            splice.replace(1..1, format!(r#""_meta":{{{mark}}}{comma}"#).into_bytes());
        }
    }
    String::from_utf8(splice.apply(result.as_bytes())).unwrap_or_else(|_| result.to_owned())
}

fn range_in(whole: &str, part: &str) -> Range<usize> {
    let start = part.as_ptr() as usize - whole.as_ptr() as usize;
    start..start + part.len()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use std::time::Duration;

    use bytes::Bytes;
    use omni_cache::Found;
    use serde_json::{Value, json};

    use super::{aged, said, updated_tags, uri_tag};

    fn found(age_s: u64, left_s: u64) -> Found {
        Found { body: Bytes::new(), age: Duration::from_secs(age_s), left: Duration::from_secs(left_s) }
    }

    /// CACHE-4, RES-6: what is kept tells its age, and for how much longer it holds.
    #[test]
    fn cache_4_an_answer_that_was_kept_tells_its_age() {
        for (result, left) in [
            (r#"{"resultType":"complete","ttlMs":5000,"contents":[],"_meta":{"x":1}}"#, 2),
            (r#"{"contents":[{"text":"\"ttlMs\":7"}],"_meta":{}}"#, 2),
            (r#"{"contents":[]}"#, 0),
            ("{ }", 1),
        ] {
            let mut expected: Value = serde_json::from_str(result).unwrap();
            if expected.get("ttlMs").is_some() {
                expected["ttlMs"] = json!(left * 1000);
            }
            expected["_meta"]["dev.omni-mcp-hub/kept"] = json!({"ageMs": 3000, "stale": left == 0});
            let told: Value = serde_json::from_str(&aged(result, &found(3, left))).unwrap();
            assert_eq!(told, expected, "{result}");
        }
    }

    /// CACHE-4: only a whole result is kept, for as long as its server says.
    #[test]
    fn cache_4_a_server_says_for_how_long_and_for_whom() {
        let public = said(r#"{"ttlMs":10,"cacheScope":"public","contents":[]}"#).unwrap();
        assert!(public.public && public.fresh == Duration::from_millis(10));
        assert!(!said(r#"{"ttlMs":10,"resultType":"complete"}"#).unwrap().public);
        assert!(!said(r#"{"ttlMs":10,"cacheScope":"PUBLIC"}"#).unwrap().public);
        for none in [r#"{"ttlMs":10,"resultType":"input_required"}"#, r#"{"cacheScope":"public"}"#, r#"{"ttlMs":-1}"#] {
            assert!(said(none).is_none(), "{none}");
        }
    }

    /// CACHE-4: an update concerns the resource and what it stands in.
    #[test]
    fn cache_4_an_update_concerns_what_is_above_it() {
        let tags = updated_tags("s", "file:///a/b.txt");
        for uri in ["file:///a/b.txt", "file:///a/", "file:///a"] {
            assert!(tags.contains(&uri_tag("s", uri)), "{uri}");
        }
        assert!(!tags.contains(&uri_tag("s", "file:///a/c.txt")) && !tags.contains(&uri_tag("t", "file:///a/b.txt")));
        assert!(updated_tags("s", &"/".repeat(1_000)).len() <= 33);
    }
}
