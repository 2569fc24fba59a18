//! `requestState`: what a client brings back opens for the call it was made for, however its arguments are written, and for no
//! other; nothing that the hub did not make opens.

use std::sync::LazyLock;

use omni_hub::{CallIdentity, Scope, Seal};
use omni_types::{Principal, ServerName};
use serde_json::Value;

use crate::pieces::Pieces;
use crate::tree::{has_duplicates, tree};

static SEAL: LazyLock<Option<Seal>> = LazyLock::new(|| Seal::new(&[1; 32]).ok());
const METHODS: [&str; 3] = ["tools/call", "prompts/get", "resources/read"];

/// All that a call is told by.
#[derive(PartialEq)]
struct Call<'a> {
    principal: &'a str,
    scope: Scope,
    method: &'static str,
    name: &'a str,
    arguments: &'a str,
}

impl<'a> Call<'a> {
    fn read(pieces: &mut Pieces<'a>) -> Self {
        let (method, principal, name) = (pieces.byte(), pieces.text(), pieces.text());
        let scope = match ServerName::parse(pieces.text()) {
            Ok(server) => Scope::One(server),
            Err(_) => Scope::All,
        };
        Self { principal, scope, method: METHODS[usize::from(method) % METHODS.len()], name, arguments: pieces.text() }
    }

    fn with<T>(&self, arguments: &str, look: impl FnOnce(&CallIdentity<'_>) -> T) -> T {
        let principal = Principal::local(self.principal);
        let arguments = (!arguments.is_empty()).then_some(arguments);
        look(&CallIdentity {
            principal: &principal,
            scope: &self.scope,
            method: self.method,
            name: self.name,
            arguments,
        })
    }
}

pub(crate) fn run(data: &[u8]) {
    let Some(seal) = &*SEAL else { panic!("no randomness") };
    let mut pieces = Pieces::new(data);
    let (one, other) = (Call::read(&mut pieces), Call::read(&mut pieces));
    let (at, bit, text) = (usize::from(pieces.byte()), pieces.byte(), pieces.rest_text());
    let place = format!("{:032x}", text.len());
    let Ok(state) = one.with(one.arguments, |call| call.sealed(seal, &place)) else { panic!("no randomness") };
    let opens = |call: &Call<'_>, arguments: &str, state: &str| call.with(arguments, |call| call.opened(seal, state));
    assert_eq!(opens(&one, one.arguments, &state), Some(place.clone()));
    assert_eq!(opens(&one, one.arguments, text), None, "bytes of chance open");
    let known = tree(one.arguments);
    // Validation refuses names that stand twice; numbers may not be written anew, as both sides may know more of them than we.
    if let Some(known) = known.as_ref().filter(|known| !has_numbers(known) && !doubles(one.arguments, known)) {
        for again in [known.to_string(), format!(" {known:#} "), turned(known).to_string()] {
            assert_eq!(opens(&one, &again, &state), Some(place.clone()), "written anew, it does not open: {again}");
        }
    }
    let differs = Call { arguments: "", scope: one.scope.clone(), ..one }
        != Call { arguments: "", scope: other.scope.clone(), ..other };
    if differs {
        assert_eq!(opens(&other, one.arguments, &state), None, "it opens for another call");
    }
    if known.is_some() && tree(other.arguments).is_some() && known != tree(other.arguments) {
        assert_eq!(opens(&one, other.arguments, &state), None, "it opens for other arguments: {}", other.arguments);
    }
    let mut forged = state.clone().into_bytes();
    let at = at % forged.len();
    forged[at] ^= 1 << (bit % 7);
    if let Ok(forged) = String::from_utf8(forged) {
        assert_eq!(opens(&one, one.arguments, &forged), None, "changed at {at}, it opens");
    }
}

fn has_numbers(value: &Value) -> bool {
    match value {
        Value::Number(_) => true,
        Value::Array(items) => items.iter().any(has_numbers),
        Value::Object(members) => members.values().any(has_numbers),
        _ => false,
    }
}

/// Whether a name stands twice in an object anywhere.
fn doubles(text: &str, value: &Value) -> bool {
    match value {
        Value::Object(_) => {
            let inner = omni_protocol::members(text).unwrap_or_default();
            has_duplicates(text)
                || inner.iter().any(|(_, raw)| tree(raw.get()).is_none_or(|value| doubles(raw.get(), &value)))
        }
        Value::Array(_) => {
            let items: Vec<&serde_json::value::RawValue> = serde_json::from_str(text).unwrap_or_default();
            items.iter().any(|raw| tree(raw.get()).is_none_or(|value| doubles(raw.get(), &value)))
        }
        _ => false,
    }
}

/// The same with the members of every object the other way round.
fn turned(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            Value::Object(members.iter().rev().map(|(name, value)| (name.clone(), turned(value))).collect())
        }
        Value::Array(items) => items.iter().map(turned).collect(),
        other => other.clone(),
    }
}
