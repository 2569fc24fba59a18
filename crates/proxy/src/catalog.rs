//! What a server offers: its lists as the bytes they came in.

use std::any::Any;
use std::collections::HashMap;
use std::ops::Range;
use std::sync::{Arc, OnceLock};

use omni_protocol::{CacheHint, ListKind, MirroredParams, ToolHints};

use crate::error::LinkError;
use crate::hello::Hello;

/// One tool, prompt, resource or template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// Its name or URI.
    pub key: String,
    /// Where the JSON text of the key lies in `text`.
    pub key_range: Range<usize>,
    /// The item as its server wrote it.
    pub text: Box<str>,
}

/// One list of a server.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct List {
    /// Its items in the server's order.
    pub items: Vec<Item>,
    /// How long it may be kept.
    pub hint: Option<CacheHint>,
}

/// What a server offers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Catalog {
    /// What it said of itself.
    pub hello: Hello,
    lists: [Arc<List>; 4],
    /// Of the few tools that have such arguments, so that a call of any other costs a look-up alone.
    mirrored: HashMap<String, MirroredParams>,
    /// Of the tools of which their server says something.
    hints: HashMap<String, ToolHints>,
    derived: Derived,
}

/// What the floor above makes of a catalog once, and keeps for as long as the catalog is kept.
#[derive(Clone, Default)]
struct Derived(Arc<OnceLock<Arc<dyn Any + Send + Sync>>>);

impl std::fmt::Debug for Derived {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Derived")
    }
}

impl PartialEq for Derived {
    /// It follows from the rest.
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Derived {}

impl Catalog {
    /// A catalog of the four lists, in the order of [`ListKind::ALL`].
    #[must_use]
    pub fn new(hello: Hello, lists: [List; 4]) -> Self {
        let tools = &lists[ListKind::Tools.index()].items;
        let mirrored = tools
            .iter()
            .filter_map(|tool| Some((tool.key.clone(), MirroredParams::of_tool(&tool.text).ok().flatten()?)));
        let hints = tools.iter().map(|tool| (tool.key.clone(), ToolHints::of_tool(&tool.text)));
        let hints = hints.filter(|(_, hints)| *hints != ToolHints::default()).collect();
        Self { hello, mirrored: mirrored.collect(), hints, lists: lists.map(Arc::new), derived: Derived::default() }
    }

    /// What `make` makes of this catalog, the first time it is asked for. There is one thing of this kind: `None` where
    /// another type was made before.
    pub fn derived<T: Any + Send + Sync>(&self, make: impl FnOnce(&Self) -> T) -> Option<Arc<T>> {
        Arc::clone(self.derived.0.get_or_init(|| Arc::new(make(self)))).downcast().ok()
    }

    /// One list.
    #[must_use]
    pub fn list(&self, kind: ListKind) -> &Arc<List> {
        &self.lists[kind.index()]
    }

    /// The arguments of `tool` that headers mirror, if it has any.
    #[must_use]
    pub fn mirrored(&self, tool: &str) -> Option<&MirroredParams> {
        self.mirrored.get(tool)
    }

    /// What the server says of `tool`.
    #[must_use]
    pub fn hints(&self, tool: &str) -> ToolHints {
        self.hints.get(tool).copied().unwrap_or_default()
    }

    /// The kinds of list in which `self` differs from `other`.
    #[must_use]
    pub fn differs_from(&self, other: &Self) -> Vec<ListKind> {
        ListKind::ALL.into_iter().filter(|kind| self.list(*kind).items != other.list(*kind).items).collect()
    }

    /// JSON text of one of the server's capabilities.
    #[must_use]
    pub fn capability(&self, name: &str) -> Option<String> {
        let found = omni_protocol::members(&self.hello.capabilities).ok()?;
        found.into_iter().find(|(key, _)| key == name).map(|(_, value)| value.get().to_owned())
    }
}

/// The catalog of one server at one moment.
#[derive(Debug, Clone, Default)]
pub struct CatalogState {
    /// What it offers, as far as is known.
    pub catalog: Option<Arc<Catalog>>,
    /// Whether that was asked of the server since the hub started, and not read from disk.
    pub fresh: bool,
    /// Why it could not be asked, the last time.
    pub error: Option<LinkError>,
    /// Grows with every change.
    pub generation: u64,
}

impl CatalogState {
    /// Whether the server was asked since the hub started, however it answered.
    #[must_use]
    pub const fn is_asked(&self) -> bool {
        self.fresh || self.error.is_some()
    }

    /// Whether something is known: what it offers, or why that is not known.
    #[must_use]
    pub const fn is_settled(&self) -> bool {
        self.catalog.is_some() || self.error.is_some()
    }
}
