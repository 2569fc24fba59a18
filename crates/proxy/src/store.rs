//! Catalogs on disk, so that lists are answered at once while servers wake.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use aws_lc_rs::digest;
use omni_protocol::{CacheHint, ListKind, Version, parse_list_page};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::capabilities::Capabilities;
use crate::catalog::{Catalog, Item, List};
use crate::hello::Hello;
use crate::spec::{ServerSpec, Transport};

/// Grows when the file's meaning changes; files of another format are not read.
const FORMAT: u32 = 1;
/// Bytes of a file that is read.
const FILE_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// A folder of catalogs.
#[derive(Debug, Clone)]
pub struct CatalogStore {
    folder: PathBuf,
}

#[derive(Serialize, Deserialize)]
struct Stored {
    format: u32,
    version: String,
    server_info: Option<Box<RawValue>>,
    capabilities: Box<RawValue>,
    instructions: Option<Box<RawValue>>,
    lists: Vec<StoredList>,
}

#[derive(Serialize, Deserialize)]
struct StoredList {
    ttl_ms: Option<u64>,
    public: bool,
    items: Vec<Box<RawValue>>,
}

impl CatalogStore {
    /// Catalogs in `folder`, which is made when it is needed.
    #[must_use]
    pub fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned() }
    }

    /// The file of one server. It is named after what the server is, so that another one under the same name does not
    /// find it.
    fn file(&self, spec: &ServerSpec, capabilities: &Capabilities) -> PathBuf {
        let mut context = digest::Context::new(&digest::SHA256);
        let mut add = |part: &str| {
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part.as_bytes());
        };
        match &spec.transport {
            Transport::Stdio(stdio) => {
                add("stdio");
                add(&stdio.command);
                stdio.args.iter().for_each(|arg| add(arg));
                add(&stdio.cwd.as_ref().map(|c| c.display().to_string()).unwrap_or_default());
                stdio.env.iter().for_each(|(key, value)| {
                    add(key);
                    add(value);
                });
            }
            Transport::Remote(remote) => {
                add("http");
                add(&remote.url);
                for (key, value) in &remote.headers {
                    add(key.as_str());
                    add(&String::from_utf8_lossy(value.as_bytes()));
                }
            }
        }
        // As they are written: a catalog stays the same when a secret is rotated.
        for (key, text) in spec.credentials.env.iter().chain(&spec.credentials.headers) {
            add(key);
            add(text);
        }
        if !capabilities.is_empty() {
            add(capabilities.text());
        }
        let hash = omni_types::hex(&context.finish().as_ref()[..8]);
        self.folder.join(format!("{}-{hash}.json", spec.name))
    }

    /// The catalog kept of `spec` as clients of `capabilities` see it, if there is one that can be read.
    #[must_use]
    pub fn load(&self, spec: &ServerSpec, capabilities: &Capabilities) -> Option<Catalog> {
        let path = self.file(spec, capabilities);
        if path.metadata().ok()?.len() > FILE_BYTES_MAX {
            return None;
        }
        let text = std::fs::read_to_string(&path).ok()?;
        let loaded = decode(&text);
        if loaded.is_none() {
            tracing::warn!(file = %path.display(), "a kept catalog cannot be read and will be made anew");
        }
        loaded
    }

    /// Keeps `catalog`. A failure costs only the quick start next time, so it is told and not passed on.
    pub fn save(&self, spec: &ServerSpec, capabilities: &Capabilities, catalog: &Catalog) {
        let path = self.file(spec, capabilities);
        if let Err(error) = self.write(&path, catalog) {
            tracing::warn!(file = %path.display(), %error, "the catalog cannot be kept on disk");
        }
    }

    fn write(&self, path: &Path, catalog: &Catalog) -> std::io::Result<()> {
        std::fs::create_dir_all(&self.folder)?;
        let text = encode(catalog).map_err(std::io::Error::other)?;
        // Written beside and renamed: a crash leaves the old one or the new one.
        let beside = path.with_extension(format!("{}.tmp", std::process::id()));
        let written = std::fs::File::create(&beside).and_then(|mut file| file.write_all(text.as_bytes()));
        let renamed = written.and_then(|()| std::fs::rename(&beside, path));
        if renamed.is_err() {
            let _nothing_left = std::fs::remove_file(&beside);
        }
        renamed
    }
}

fn raw(text: &str) -> Result<Box<RawValue>, serde_json::Error> {
    RawValue::from_string(text.to_owned())
}

fn encode(catalog: &Catalog) -> Result<String, serde_json::Error> {
    let mut lists = Vec::with_capacity(4);
    for kind in ListKind::ALL {
        let list = catalog.list(kind);
        lists.push(StoredList {
            ttl_ms: list.hint.map(|h| h.ttl_ms),
            public: list.hint.is_some_and(|h| h.public),
            items: list.items.iter().map(|item| raw(&item.text)).collect::<Result<_, _>>()?,
        });
    }
    let hello = &catalog.hello;
    serde_json::to_string(&Stored {
        format: FORMAT,
        version: hello.version.as_str().to_owned(),
        server_info: hello.server_info.as_deref().map(raw).transpose()?,
        capabilities: raw(&hello.capabilities)?,
        instructions: hello.instructions.as_deref().map(raw).transpose()?,
        lists,
    })
}

fn decode(text: &str) -> Option<Catalog> {
    let stored: Stored = serde_json::from_str(text).ok()?;
    if stored.format != FORMAT || stored.lists.len() != ListKind::ALL.len() {
        return None;
    }
    let hello = Hello {
        version: Version::parse(&stored.version)?,
        server_info: stored.server_info.map(|v| v.get().to_owned()),
        capabilities: stored.capabilities.get().to_owned(),
        instructions: stored.instructions.map(|v| v.get().to_owned()),
    };
    let mut lists: [List; 4] = Default::default();
    for ((kind, list), from) in ListKind::ALL.into_iter().zip(&mut lists).zip(stored.lists) {
        list.hint = from.ttl_ms.map(|ttl_ms| CacheHint { ttl_ms, public: from.public });
        let items = serde_json::to_string(&from.items).ok()?;
        let page = parse_list_page(kind, &format!(r#"{{"{}":{items}}}"#, kind.member())).ok()?;
        list.items.extend(page.items.into_iter().map(|(key, key_range, text)| Item { key, key_range, text }));
    }
    Some(Catalog::new(hello, lists))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::path::Path;

    use omni_protocol::{CacheHint, ListKind, Version, parse_list_page};

    use super::{CatalogStore, decode, encode};
    use crate::capabilities::Capabilities;
    use crate::catalog::{Catalog, Item, List};
    use crate::hello::Hello;
    use crate::settings::ServerSettings;
    use crate::spec::ServerSpec;

    fn catalog() -> Catalog {
        let tools = r#"{"tools":[{"x":1.50,"name":"a","big":12345678901234567890123},{"name":"b"}]}"#;
        let page = parse_list_page(ListKind::Tools, tools).unwrap();
        let items = page.items.into_iter().map(|(key, key_range, text)| Item { key, key_range, text }).collect();
        let tools = List { items, hint: Some(CacheHint { ttl_ms: 5, public: true }) };
        let hello = Hello {
            version: Version::V2025_06_18,
            server_info: Some(r#"{"name":"s"}"#.to_owned()),
            capabilities: r#"{"tools":{}}"#.to_owned(),
            instructions: None,
        };
        Catalog::new(hello, [tools, List::default(), List::default(), List::default()])
    }

    #[test]
    fn what_is_kept_comes_back_to_the_byte() {
        assert_eq!(decode(&encode(&catalog()).unwrap()), Some(catalog()));
        assert_eq!(decode("{}"), None);
    }

    #[test]
    fn another_server_of_the_same_name_does_not_find_it() {
        let folder = tempfile::tempdir().unwrap();
        let store = CatalogStore::new(&folder.path().join("deep"));
        let spec = |command: &str| {
            let settings = ServerSettings { command: Some(command.into()), ..Default::default() };
            ServerSpec::build("s", &settings, Path::new("omni")).unwrap()
        };
        let (none, some) = (Capabilities::default(), Capabilities::of(r#"{"roots":{}}"#));
        store.save(&spec("one"), &none, &catalog());
        assert_eq!(store.load(&spec("one"), &none), Some(catalog()));
        assert_eq!(store.load(&spec("one"), &some), None);
        assert_eq!(store.load(&spec("two"), &none), None);
    }
}
