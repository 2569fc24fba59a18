//! What one endpoint shows one principal: the merged lists as ready bytes, and the index that leads back.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use omni_auth::{Action, Policy, Surroundings};
use omni_protocol::{CacheHint, ListKind, Splice, hub_uri, member, qualified_name, split_hub_uri, split_qualified};
use omni_proxy::{Catalog, Profile, Server};
use omni_screen::{Described, Screen};
use omni_types::Principal;

use crate::access::{access, hints};
use crate::apps::rewrite_interface;
use crate::own_tools::OwnTool;
use crate::scope::Scope;
use crate::shown::{Shown, decide};
use crate::snapshot::Snapshot;
use crate::template::Template;

/// Items of one page of a merged list.
pub(crate) const PAGE_ITEMS: usize = 1_000;

/// Templates by which resources are found that no list knows; further ones are listed, and their resources found by their
/// scheme alone.
const TEMPLATES_MATCHED_MAX: usize = 2_000;

/// What one endpoint shows one principal at one generation of the catalogs.
#[derive(Debug)]
pub(crate) struct View {
    /// Generation of everything it was made from.
    pub(crate) generation: u64,
    lists: [ViewList; 4],
    names: [HashMap<String, Place>; 2],
    uris: HashMap<String, Place>,
    templates: Vec<(Template, Place)>,
    template_keys: HashSet<String>,
    schemes: HashMap<String, Vec<usize>>,
    servers: Vec<Arc<Server>>,
    /// Servers whose offers are unknown, and why.
    pub(crate) absent: Vec<(String, String)>,
}

/// One merged list.
#[derive(Debug, Default)]
pub(crate) struct ViewList {
    /// Names or URIs, in order: cursors are made of them.
    pub(crate) keys: Vec<String>,
    /// JSON texts, joined by commas, page by page.
    pub(crate) pages: Vec<String>,
    pub(crate) hint: Option<CacheHint>,
}

/// A server and what it calls the thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) server: usize,
    pub(crate) name: String,
}

/// A tool, prompt or resource found.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    pub(crate) server: Arc<Server>,
    /// What the server calls it.
    pub(crate) name: String,
}

/// For whom a view is made.
#[derive(Clone, Copy)]
pub(crate) struct Reader<'a> {
    pub(crate) screen: &'a Screen,
    pub(crate) policy: &'a Policy,
    pub(crate) scope: &'a Scope,
    pub(crate) principal: &'a Principal,
    pub(crate) around: Surroundings<'a>,
    pub(crate) shown: &'a Shown,
    pub(crate) own: &'a [OwnTool],
}

impl View {
    /// Makes the view. Items that policy would refuse are left out: listing equals calling.
    pub(crate) fn build(snapshot: &Snapshot, reader: &Reader<'_>, profile: &Profile, generation: u64) -> Self {
        let scope = reader.scope;
        let servers: Vec<Arc<Server>> = match scope {
            Scope::All | Scope::Profile(_) => {
                let all = snapshot.servers().iter();
                all.filter(|server| reader.shown.shows_server(server.name().as_str())).cloned().collect()
            }
            Scope::One(name) => snapshot.server(name.as_str()).cloned().into_iter().collect(),
        };
        let mut view = Self {
            generation,
            lists: Default::default(),
            names: Default::default(),
            uris: HashMap::new(),
            templates: Vec::new(),
            template_keys: HashSet::new(),
            schemes: HashMap::new(),
            absent: Vec::new(),
            servers,
        };
        let mut texts: [Vec<String>; 4] = Default::default();
        for tool in reader.own.iter().filter(|tool| tool.is_shown(reader.policy, reader.principal, reader.around)) {
            texts[ListKind::Tools.index()].push(tool.text());
            view.lists[ListKind::Tools.index()].keys.push(tool.name().to_owned());
        }
        for at in 0..view.servers.len() {
            let state = view.servers[at].catalog_now(profile);
            let name = view.servers[at].name().clone();
            match (&state.catalog, &state.error) {
                (Some(catalog), error) => {
                    if let Some(error) = error {
                        view.absent.push((name.to_string(), format!("shown as last seen; {error}")));
                    }
                    view.add(reader, at, catalog, &mut texts);
                }
                (None, Some(error)) => view.absent.push((name.to_string(), error.to_string())),
                (None, None) => view.absent.push((name.to_string(), "it is still starting".to_owned())),
            }
        }
        view.lead_to_interfaces(scope, &mut texts[ListKind::Tools.index()]);
        for (list, texts) in view.lists.iter_mut().zip(texts) {
            list.pages = texts.chunks(PAGE_ITEMS).map(|page| page.join(",")).collect();
        }
        view.templates.sort_by_key(|(template, _)| std::cmp::Reverse(template.weight()));
        view
    }

    fn add(&mut self, reader: &Reader<'_>, at: usize, catalog: &Catalog, texts: &mut [Vec<String>; 4]) {
        let Reader { screen, policy, scope, shown: offered, .. } = *reader;
        let server = self.servers[at].name().clone();
        for (kind, texts) in ListKind::ALL.into_iter().zip(texts) {
            let list = catalog.list(kind);
            let merged = &mut self.lists[kind.index()];
            merged.hint = merge_hints(merged.hint, list.hint.unwrap_or(CacheHint::NONE));
            for item in &list.items {
                // The arguments are not known yet: listed is what some call may be allowed of.
                let about = access(reader.principal, action(kind), kind, (server.as_str(), &item.key));
                let hints = if kind == ListKind::Tools { hints(catalog, &item.key) } else { about.hints };
                let about = omni_auth::Access { hints, around: reader.around, ..about };
                if !decide(policy, offered, &about).is_possible() {
                    continue;
                }
                // What servers say of what they offer is read by people and models: no hidden words in it, no name of two faces.
                let Some(described) = screen.described(&item.key, &item.text) else {
                    tracing::warn!(server = %server, item = ?item.key, "not shown: its name or text holds dangerous characters");
                    continue;
                };
                let (text, key_range) = match &described {
                    Described::AsItIs => (&*item.text, Some(item.key_range.clone())),
                    Described::Changed(text) => (text.as_str(), None),
                };
                let key_range = key_range.or_else(|| key_place(kind, text)).unwrap_or(0..0);
                let shown = self.shown(scope, kind, server.as_str(), &item.key);
                let place = Place { server: at, name: item.key.clone() };
                if !self.index(kind, &shown, place) {
                    tracing::warn!(server = %server, item = %item.key, "two items of one name; the second is not shown");
                    continue;
                }
                texts.push(if shown == item.key {
                    text.to_owned()
                } else {
                    let mut splice = Splice::new();
                    splice.replace(key_range, serde_json::Value::from(shown.as_str()).to_string().into_bytes());
                    String::from_utf8(splice.apply(text.as_bytes())).unwrap_or_default()
                });
                self.lists[kind.index()].keys.push(shown);
            }
        }
    }

    /// Tools name their interfaces as clients find them: known only once every server's resources are.
    fn lead_to_interfaces(&self, scope: &Scope, tools: &mut [String]) {
        for (name, text) in self.lists[ListKind::Tools.index()].keys.iter().zip(tools) {
            let server = self.names[0].get(name).and_then(|place| self.servers.get(place.server));
            if let Some(server) = server
                && let Some(rewritten) = rewrite_interface(text, &|uri| self.shown_uri(scope, server, uri))
            {
                *text = rewritten;
            }
        }
    }

    fn shown(&self, scope: &Scope, kind: ListKind, server: &str, key: &str) -> String {
        match (scope, kind) {
            (Scope::One(_), _) => key.to_owned(),
            (_, ListKind::Tools | ListKind::Prompts) => qualified_name(server, key),
            // URIs are shown as they are unless an earlier server has the same.
            (_, ListKind::Resources) if self.uris.contains_key(key) => hub_uri(server, key),
            (_, ListKind::Templates) if self.template_keys.contains(key) => hub_uri(server, key),
            _ => key.to_owned(),
        }
    }

    fn index(&mut self, kind: ListKind, shown: &str, place: Place) -> bool {
        if matches!(kind, ListKind::Resources | ListKind::Templates)
            && let Some((scheme, _)) = place.name.split_once(':')
        {
            let holders = self.schemes.entry(scheme.to_owned()).or_default();
            if !holders.contains(&place.server) {
                holders.push(place.server);
            }
        }
        let table = match kind {
            ListKind::Tools => &mut self.names[0],
            ListKind::Prompts => &mut self.names[1],
            ListKind::Resources => &mut self.uris,
            ListKind::Templates => {
                self.template_keys.insert(shown.to_owned());
                // Each of them is tried for each URI that no list knows.
                if self.templates.len() < TEMPLATES_MATCHED_MAX {
                    self.templates.push((Template::parse(shown), place));
                }
                return true;
            }
        };
        if table.contains_key(shown) {
            return false;
        }
        table.insert(shown.to_owned(), place);
        true
    }

    /// One merged list.
    pub(crate) fn list(&self, kind: ListKind) -> &ViewList {
        &self.lists[kind.index()]
    }

    /// The servers it is made of.
    pub(crate) fn servers(&self) -> &[Arc<Server>] {
        &self.servers
    }

    fn found(&self, at: usize, name: &str) -> Option<Found> {
        Some(Found { server: Arc::clone(self.servers.get(at)?), name: name.to_owned() })
    }

    /// The tool (or prompt) that a client calls `name`.
    pub(crate) fn named(&self, scope: &Scope, kind: ListKind, name: &str) -> Option<Found> {
        if let Scope::One(_) = scope {
            return self.found(0, name);
        }
        let table = &self.names[usize::from(kind == ListKind::Prompts)];
        if let Some(place) = table.get(name) {
            return self.found(place.server, &place.name);
        }
        // `server:tool`, or a name that its server does not list: the server has the last word on it.
        let (server, rest) = split_qualified(name)?;
        let at = self.servers.iter().position(|s| s.name().as_str() == server)?;
        let shown = qualified_name(server, rest);
        match table.get(&shown) {
            Some(place) if place.server == at => self.found(at, &place.name),
            _ => self.found(at, rest),
        }
    }

    /// The resource that a client calls `uri`.
    pub(crate) fn resource(&self, scope: &Scope, uri: &str) -> Option<Found> {
        if let Scope::One(_) = scope {
            return self.found(0, uri);
        }
        if let Some(place) = self.uris.get(uri) {
            return self.found(place.server, &place.name);
        }
        if let Some((server, rest)) = split_hub_uri(uri) {
            let at = self.servers.iter().position(|s| s.name().as_str() == server)?;
            return self.found(at, &rest);
        }
        if let Some((_, place)) = self.templates.iter().find(|(template, _)| template.matches(uri)) {
            return self.found(place.server, uri);
        }
        let (scheme, _) = uri.split_once(':')?;
        match self.schemes.get(scheme).map(Vec::as_slice) {
            Some([only]) => self.found(*only, uri),
            _ => None,
        }
    }

    /// The resource template that a client calls `template`, for completion.
    pub(crate) fn template(&self, scope: &Scope, template: &str) -> Option<Found> {
        if let Scope::One(_) = scope {
            return self.found(0, template);
        }
        let at = self.lists[ListKind::Templates.index()].keys.iter().position(|key| key == template);
        if let Some(shown) = at.map(|at| &self.lists[ListKind::Templates.index()].keys[at]) {
            let parsed = Template::parse(shown);
            let place = self.templates.iter().find(|(t, _)| *t == parsed).map(|(_, place)| place)?;
            return self.found(place.server, &place.name);
        }
        self.resource(scope, template)
    }

    /// The URI under which clients know `uri` of `server`, if it is another one.
    pub(crate) fn shown_uri(&self, scope: &Scope, server: &Server, uri: &str) -> Option<String> {
        if self.servers.len() < 2 || matches!(scope, Scope::One(_)) {
            return None;
        }
        match self.resource(scope, uri) {
            Some(found) if std::ptr::eq(Arc::as_ptr(&found.server), server) => None,
            _ => Some(hub_uri(server.name().as_str(), uri)),
        }
    }
}

/// Where the name or URI of an item lies in its text.
fn key_place(kind: ListKind, text: &str) -> Option<std::ops::Range<usize>> {
    let name = match kind {
        ListKind::Tools | ListKind::Prompts => "name",
        ListKind::Resources => "uri",
        ListKind::Templates => "uriTemplate",
    };
    let found = member(text, name)?.get();
    let start = found.as_ptr() as usize - text.as_ptr() as usize;
    Some(start..start + found.len())
}

fn action(kind: ListKind) -> Action {
    match kind {
        ListKind::Tools => Action::CallTool,
        ListKind::Prompts => Action::GetPrompt,
        ListKind::Resources | ListKind::Templates => Action::ReadResource,
    }
}

/// The shorter time, and public only where all are (section 1.2 of our protocol notes).
fn merge_hints(so_far: Option<CacheHint>, next: CacheHint) -> Option<CacheHint> {
    Some(match so_far {
        None => next,
        Some(old) => CacheHint { ttl_ms: old.ttl_ms.min(next.ttl_ms), public: old.public && next.public },
    })
}
