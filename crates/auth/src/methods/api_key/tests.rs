//! Tests of API keys, attacks first: nobody comes in by a guess, a piece, an old key or a word too many.

#![allow(clippy::unwrap_used)]

use std::sync::atomic::AtomicI64;

use omni_types::PrincipalKind;

use super::text::{COMPARED, DIGESTS};
use super::{ApiKey, ApiKeys, FreshApiKey, Grants, SERVERS_CLAIM};
use crate::refusal::RefusalKind;
use crate::revocations::Revocations;

fn held(fresh: &FreshApiKey, name: &str, expires_at: Option<u64>) -> ApiKey {
    ApiKey {
        id: fresh.id.clone(),
        digest: fresh.digest,
        name: name.to_owned(),
        tenant: None,
        grants: Grants { roles: vec!["viewer".into()], servers: vec!["git".into()], ..Grants::default() },
        created_at: 10,
        expires_at,
        revoked: false,
        last_used: AtomicI64::new(0),
    }
}

fn refused(keys: &ApiKeys, text: &str, now: u64) -> (RefusalKind, String) {
    let refusal = keys.check(text, now).unwrap_err();
    (refusal.kind(), refusal.public().to_owned())
}

/// Not by the clock, which says what the machine does beside it: by what is done.
#[test]
fn auth_7_the_same_work_is_done_for_every_key_that_is_refused() {
    let keys = ApiKeys::default();
    let [known, expired, revoked, stranger] = [0; 4].map(|_| FreshApiKey::make().unwrap());
    let other = FreshApiKey::make().unwrap();
    let wrong_secret = ApiKey { id: other.id.clone(), ..held(&known, "other", None) };
    let ended = ApiKey { revoked: true, ..held(&revoked, "revoked", None) };
    keys.replace(vec![held(&known, "known", None), held(&expired, "expired", Some(100)), ended, wrong_secret]);
    let work = |text: &str| {
        let before = (DIGESTS.get(), COMPARED.get());
        let let_in = keys.check(text, 200).is_ok();
        (let_in, DIGESTS.get() - before.0, COMPARED.get() - before.1)
    };
    assert_eq!(work(&known.text), (true, 1, 1));
    for (what, key) in
        [("unknown", &stranger), ("a wrong secret", &other), ("expired", &expired), ("revoked", &revoked)]
    {
        assert_eq!(work(&key.text), (false, 1, 1), "{what}");
    }
}

#[test]
fn auth_7_a_key_is_somebody_with_what_it_was_given() {
    let (keys, fresh) = (ApiKeys::default(), FreshApiKey::make().unwrap());
    keys.replace(vec![held(&fresh, "ci", Some(100))]);
    let verified = keys.check(&fresh.text, 50).unwrap();
    let principal = &verified.principal;
    assert_eq!((principal.kind(), principal.id()), (PrincipalKind::ApiKey, "ci"));
    assert_eq!((principal.client(), principal.roles()), (Some(fresh.id.as_str()), &["viewer".to_owned()][..]));
    assert_eq!(principal.claims()[SERVERS_CLAIM], serde_json::json!(["git"]));
    assert_eq!((verified.expires_at, verified.id.as_deref()), (Some(100), Some(fresh.id.as_str())));
    assert_eq!(keys.used_since(0), [(fresh.id.clone(), 50)]);
    keys.replace(vec![held(&fresh, "ci", Some(100))]);
    assert_eq!(keys.last_used(&fresh.id), Some(50), "a new list keeps what is known of uses");
}

#[test]
fn auth_7_a_stranger_learns_nothing_of_which_keys_there_are() {
    let keys = ApiKeys::default();
    let (known, stranger, other) =
        (FreshApiKey::make().unwrap(), FreshApiKey::make().unwrap(), FreshApiKey::make().unwrap());
    // A key of the same id with another secret, whole in itself.
    let forged = FreshApiKey { id: known.id.clone(), text: other.text.clone(), digest: other.digest };
    let wrong_secret = ApiKey { id: other.id.clone(), digest: known.digest, ..held(&forged, "ci", None) };
    keys.replace(vec![held(&known, "ci", None), wrong_secret]);
    let unknown = refused(&keys, &stranger.text, 1);
    assert_eq!(refused(&keys, &other.text, 1), unknown, "a wrong secret and an unknown key are answered alike");
    assert_eq!(unknown.0, RefusalKind::Invalid);
    assert!(refused(&keys, &known.text[..known.text.len() - 1], 1).1.contains("cut off"));
    assert!(keys.check(&known.text, 1).is_ok());
}

#[test]
fn auth_7_expired_revoked_and_unknown_keys_are_refused() {
    let keys = ApiKeys::default();
    let fresh = FreshApiKey::make().unwrap();
    keys.replace(vec![held(&fresh, "ci", Some(100))]);
    assert!(keys.check(&fresh.text, 99).is_ok());
    assert!(refused(&keys, &fresh.text, 100).1.contains("expired"));
    keys.replace(vec![ApiKey { revoked: true, ..held(&fresh, "ci", None) }]);
    assert!(refused(&keys, &fresh.text, 1).1.contains("revoked"));
    keys.unknown("the database is damaged");
    let (kind, public) = refused(&keys, &fresh.text, 1);
    assert_eq!(kind, RefusalKind::Unavailable);
    assert!(!public.contains("damaged"), "the reason is the operator's");
}

#[test]
fn auth_7_a_digest_of_zeros_opens_nothing() {
    let (keys, fresh) = (ApiKeys::default(), FreshApiKey::make().unwrap());
    keys.replace(vec![ApiKey { digest: [0; 32], ..held(&fresh, "ci", None) }]);
    assert_eq!(refused(&keys, &fresh.text, 1).0, RefusalKind::Invalid);
}

#[test]
fn auth_7_what_was_taken_before_ends_with_the_key() {
    let (keys, fresh, revocations) = (ApiKeys::default(), FreshApiKey::make().unwrap(), Revocations::default());
    keys.replace(vec![held(&fresh, "ci", Some(100))]);
    *keys.0.ended.lock().unwrap() = 90;
    keys.tell_ended(&revocations, 99);
    assert!(!revocations.covers(None, Some(&fresh.id), "ci", Some(10)));
    keys.tell_ended(&revocations, 100);
    assert!(revocations.covers(None, Some(&fresh.id), "ci", Some(10)));
}
