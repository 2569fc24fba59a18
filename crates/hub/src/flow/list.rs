//! `tools/list`, `prompts/list`, `resources/list`, `resources/templates/list`: all pages of all servers, in stable
//! order, answered from the catalogs.

use std::sync::Arc;

use omni_protocol::{CacheHint, Era, ListKind, meta_keys};
use omni_types::{Fault, FaultKind};

use crate::Hub;
use crate::absent::meta_member;
use crate::flow::hello::HUB_INFO;
use crate::scope::Scope;
use crate::stage::{Sanitized, Validated, admit, around, authenticate};
use crate::view::{PAGE_ITEMS, View};

/// Answers one page. What policy would refuse to call is not in it: the view leaves it out by the same decision.
pub(crate) async fn list(hub: &Arc<Hub>, validated: Validated, kind: ListKind) -> Result<Sanitized, Fault> {
    let authenticated = authenticate(hub, validated)?;
    let admitted = admit(hub, authenticated)?;
    let authenticated = admitted.authenticated();
    let validated = authenticated.validated();
    let scope = &validated.received().scope;
    hub.settle(scope, validated.profile()).await;
    let view = hub.view(scope, authenticated.principal(), &around(hub, validated), validated.profile());
    if let (Scope::One(name), true, [(_, why)]) = (scope, view.list(kind).keys.is_empty(), view.absent.as_slice()) {
        return Err(Fault::new(FaultKind::ServerUnavailable, format!("server `{name}`: {why}")));
    }
    let page = page_of(hub, &view, kind, scope, validated.params().cursor.as_deref())?;
    let next = next_cursor(hub, &view, kind, scope, page)?;
    let items = view.list(kind).pages.get(page).map_or("", String::as_str);
    let mut result = String::with_capacity(items.len() + 256);
    result.push('{');
    if validated.version().era() == Era::Modern {
        let hint = view.list(kind).hint.unwrap_or(CacheHint::NONE);
        // While a server is missing the list is not to be kept: it will be another one soon.
        let hint = if view.absent.is_empty() { hint } else { CacheHint::NONE };
        let hint = CacheHint { public: hint.public && hub.shows_all_alike(scope, authenticated.principal()), ..hint };
        result.push_str(r#""resultType":"complete","#);
        result.push_str(&hint.members());
        result.push(',');
    }
    result.push_str(&format!(r#""{}":[{items}]"#, kind.member()));
    if let Some(cursor) = next {
        result.push_str(&format!(r#","nextCursor":"{cursor}""#));
    }
    let mut meta: Vec<String> = meta_member(&view.absent).into_iter().collect();
    if validated.version().era() == Era::Modern {
        meta.push(format!(r#""{}":{}"#, meta_keys::SERVER_INFO, server_info(&view, scope)));
    }
    if !meta.is_empty() {
        result.push_str(&format!(r#","_meta":{{{}}}"#, meta.join(",")));
    }
    result.push('}');
    Ok(Sanitized::own(validated.message().id().unwrap_or("null"), &result))
}

fn server_info(view: &View, scope: &Scope) -> String {
    let own = match scope {
        Scope::All | Scope::Profile(_) => None,
        Scope::One(_) => view.servers().first().and_then(|s| s.last_catalog().catalog?.hello.server_info.clone()),
    };
    own.unwrap_or_else(|| HUB_INFO.to_owned())
}

fn context(kind: ListKind, scope: &Scope) -> String {
    match scope {
        Scope::All => kind.method().to_owned(),
        Scope::One(name) => format!("{name} {}", kind.method()),
        Scope::Profile(name) => format!("p {name} {}", kind.method()),
    }
}

/// A cursor names the last item that was seen, so that it holds when the lists before or behind it change.
fn page_of(hub: &Hub, view: &View, kind: ListKind, scope: &Scope, cursor: Option<&str>) -> Result<usize, Fault> {
    let Some(cursor) = cursor else { return Ok(0) };
    let invalid = || Fault::new(FaultKind::InvalidParams, "Invalid cursor: begin again without one");
    let last = hub.seal().open(&context(kind, scope), cursor).ok_or_else(invalid)?;
    let at = view.list(kind).keys.iter().position(|key| *key == last).ok_or_else(invalid)?;
    // Pages have fixed borders; an item that moved across one is seen twice rather than not at all.
    Ok(if (at + 1) % PAGE_ITEMS == 0 { (at + 1) / PAGE_ITEMS } else { at / PAGE_ITEMS })
}

fn next_cursor(hub: &Hub, view: &View, kind: ListKind, scope: &Scope, page: usize) -> Result<Option<String>, Fault> {
    let list = view.list(kind);
    if page + 1 >= list.pages.len() {
        return Ok(None);
    }
    let Some(last) = list.keys.get((page + 1) * PAGE_ITEMS - 1) else { return Ok(None) };
    let sealed = hub.seal().seal(&context(kind, scope), last);
    sealed.map(Some).map_err(|_| Fault::new(FaultKind::Internal, "no randomness"))
}
